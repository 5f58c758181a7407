// 100,000 rows.

import { expect, press, row, rows, test } from "./open";
import { many } from "./world";

test.use({ world: async ({}, use) => use(many(100_000)) });

const count = (page: import("@playwright/test").Page) => page.evaluate(() => Number(document.documentElement.dataset["rows"]));

test("100,000 rows stay smooth, and few are in the document", async ({ page, open }, info) => {
  await open("?limit=100000&last=3600s");
  await expect.poll(() => count(page)).toBeGreaterThan(10_000);
  const folded = await count(page);
  // Open every fold, so that each process has a row.
  await page.evaluate(() => performance.mark("open"));
  for (let r = 0; r < 3; r++) await press(page, "j");
  expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(1500);
  const figures = await page.evaluate(async () => {
    const scroll = document.querySelector("#scroll")!, frames: number[] = [];
    let most = 0;
    for (let n = 0, last = performance.now(); n < 240; n++) {
      scroll.scrollTop += 24 * 37;
      const now = await new Promise<number>((done) => requestAnimationFrame(done));
      frames.push(now - last);
      last = now;
      most = Math.max(most, document.querySelectorAll("*").length);
    }
    frames.sort((a, b) => a - b);
    return { fps: (1000 * frames.length) / frames.reduce((a, b) => a + b), slow: frames[Math.floor(frames.length * 0.99)], most, top: scroll.scrollTop };
  });
  expect(figures.most).toBeLessThan(1500);
  expect(figures.top).toBeGreaterThan(24 * 1000);
  const text = `${folded} rows of 100,000 processes: ${figures.fps.toFixed(0)} frames a second, 99 % within ${figures.slow.toFixed(0)} ms, at most ${figures.most} elements`;
  info.annotations.push({ type: "scroll", description: text });
  console.log(text);
});

test("the last row can be had, and a hit far down", async ({ page, open }) => {
  await open("?limit=100000&last=3600s");
  await expect.poll(() => count(page)).toBeGreaterThan(10_000);
  await press(page, "End");
  await expect(page.locator(".row.selected")).toBeVisible();
  await expect(page.locator(".row.selected")).toHaveAttribute("aria-rowindex", String((await count(page)) + 1));
  await page.goto(page.url().split("?")[0] + "?last=3600s&limit=100000&q=pid:90010");
  await expect(page.locator(".hits")).toHaveText("1 hit");
  expect((await rows(page)).length).toBe(4);
});

test("more rows than the limit are said, and can be had", async ({ page, open, daemon }) => {
  daemon.note = "there are gaps in the time that was asked for; there are more rows; those that started last were taken";
  daemon.gaps = [{ reason: "away", since: new Date(Date.now() - 1800e3).toISOString(), until: new Date(Date.now() - 1200e3).toISOString(), lost: null, host: null }];
  await open("?last=3600s");
  await expect(page.locator(".notice", { hasText: "There are more than 20,000 rows." })).toBeVisible();
  await expect(page.locator(".notice")).toHaveCount(1);
  await expect(page.locator(".notice summary")).toHaveText("There are more than 20,000 rows. Those that started last are shown: search, or make the window shorter. Nobody watched for 10 min of this time.");
  expect((await page.locator(".notice").boundingBox())!.height).toBeLessThan(36);
  await page.getByRole("button", { name: "Show 100,000" }).click();
  await expect(page.locator(".notice", { hasText: "There are more than" })).toHaveCount(0);
  await expect(row(page, "systemd")).toBeVisible();
});
