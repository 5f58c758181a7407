// Pictures to look at, where SCREENSHOTS names a folder for them.

import { expect, row, test } from "./open";
import { fleet, hosts, many } from "./world";

const folder = process.env["SCREENSHOTS"];

for (const [width, height] of [[1280, 800], [800, 600]]) {
  for (const colorScheme of ["light", "dark"] as const) {
    test.describe(`${width}x${height} ${colorScheme}`, () => {
      test.use({ fails: true, viewport: { width, height }, colorScheme });
      const shot = async (page: import("@playwright/test").Page, name: string) => {
        await page.waitForTimeout(700);
        await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png` });
      };
      test("pictures", async ({ page, daemon, open }) => {
        await open();
        await shot(page, "live");
        await page.keyboard.press("?");
        await shot(page, "help");
        await page.keyboard.press("?");
        await open("?q=nginx%20container:web");
        await shot(page, "search");
        await open("?q=nginx%20colour:web");
        await shot(page, "malformed");
        await open("?by=container");
        await shot(page, "grouped");
        await open("?only=failed");
        await page.keyboard.press("n");
        await shot(page, "failed");
        await open("?q=nothinglikeit");
        await shot(page, "empty");
        await open("?q=name:curl");
        await page.keyboard.press("n");
        await page.keyboard.press("i");
        await shot(page, "panel");
        await open();
        await page.locator(".row", { hasText: "agent" }).first().click();
        await shot(page, "panel-adopted");
        const now = Date.now();
        daemon.gaps = [
          { reason: "away", since: new Date(now - 260e3).toISOString(), until: new Date(now - 200e3).toISOString(), lost: null, host: null },
          { reason: "lost", since: new Date(now - 100e3).toISOString(), until: new Date(now - 98e3).toISOString(), lost: 312, host: null },
        ];
        daemon.note = "/proc hides processes of others from the daemon";
        await open(`?since=${new Date(now - 290e3).toISOString()}&until=${new Date(now - 30e3).toISOString()}`);
        await shot(page, "gaps");
        await page.locator(".row", { hasText: "bash" }).first().click();
        await page.keyboard.press("Enter");
        await shot(page, "focus");
        daemon.gaps = [];
        daemon.note = "";
        await open();
        await daemon.stop();
        await expect(page.locator(".connection")).toHaveText("not connected", { timeout: 20e3 });
        await shot(page, "disconnected");
        await daemon.start();
        daemon.refuse = 429;
        await page.goto(daemon.url);
        await shot(page, "error");
        daemon.refuse = 401;
        await page.goto(daemon.url);
        await shot(page, "token");
        daemon.refuse = 0;
        daemon.world = many(100_000);
        await open("?limit=100000");
        await expect(page.locator("html")).toHaveAttribute("data-rows", /\d{4,}/, { timeout: 30e3 });
        await shot(page, "many");
      });

      test("pictures of a fleet", async ({ page, daemon, open }) => {
        [daemon.hosts, daemon.world, daemon.readOnly] = [hosts(3), fleet(hosts(3)), true];
        await open();
        await shot(page, "fleet");
        await page.keyboard.press("H");
        await shot(page, "fleet-choice");
        await page.keyboard.type("web-2");
        await page.keyboard.press("Enter");
        await shot(page, "fleet-one");
        await open("?q=sh%20ancestor:nginx");
        await page.keyboard.press("n");
        await page.keyboard.press("i");
        await shot(page, "fleet-ancestor");
        await open("?by=host");
        await shot(page, "fleet-grouped");
        await open("?host=gone");
        await shot(page, "fleet-gone");
        const now = Date.now();
        daemon.gaps = [{ reason: "away", since: new Date(now - 200e3).toISOString(), until: new Date(now - 120e3).toISOString(), lost: null, host: hosts(3)[1].id }];
        await open();
        await shot(page, "fleet-gap");
        await open("?by=host");
        await shot(page, "fleet-gap-grouped");
        daemon.gaps = [];
        let answer!: () => void;
        daemon.slow = new Promise((done) => { answer = done; });
        await page.getByRole("button", { name: "Failed", exact: true }).click();
        await shot(page, "fleet-loading");
        answer();
        await page.setViewportSize({ width: 420, height: 800 });
        const long = "ip-10-0-12-117.eu-central-1.compute.internal";
        daemon.hosts = hosts(3).map((h) => ({ ...h, name: long }));
        await open("?by=host");
        await shot(page, "fleet-narrow");
        await page.keyboard.press("H");
        await shot(page, "fleet-narrow-choice");
        await page.setViewportSize({ width, height });
        await open("?by=host");
        await row(page, "sh").first().click();
        await shot(page, "fleet-long");
        daemon.down = true;
        await open();
        await shot(page, "fleet-down");
        daemon.down = false;
        [daemon.hosts, daemon.world] = [hosts(1000), fleet(hosts(1000))];
        daemon.note = "nothing has come yet of the last of that time of web-1 (0001c0ffeec0)";
        for (const p of fleet(daemon.hosts)) daemon.world.push({ ...p, boot: "a" }, { ...p, boot: "b" }, { ...p, boot: "c" });
        await open("?last=3600s");
        await shot(page, "thousand");
        await page.keyboard.press("H");
        await page.keyboard.type("web-73");
        await shot(page, "thousand-choice");
        await page.keyboard.press("Escape");
        await page.keyboard.press("a");
        await shot(page, "thousand-past");
      });
    });
  }
}
