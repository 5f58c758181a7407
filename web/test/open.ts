// How tests open the page: it may not complain, nor ask anyone else for anything.

import { test as base, expect } from "@playwright/test";
import type { Page } from "@playwright/test";
import { Fake } from "./fake";
import { host } from "./world";
import type { Made } from "./world";

interface Fixtures {
  world: Made[];
  fails: boolean; // the daemon answers with errors, or not at all
  daemon: Fake;
  address: string;
  watched: void;
  open: (search?: string) => Promise<void>;
}

export const test = base.extend<Fixtures>({
  world: async ({}, use) => use(host()),
  fails: [false, { option: true }],
  daemon: async ({ world }, use) => {
    const daemon = new Fake(world);
    await daemon.start();
    await use(daemon);
    await daemon.stop();
  },
  address: async ({ daemon }, use) => use(daemon.url),
  watched: [async ({ page, fails, address }, use) => {
    const complaints: string[] = [], strangers: string[] = [];
    page.on("console", (m) => {
      // So the browser notes each answer that is an error.
      const failing = fails && m.text().startsWith("Failed to load resource:");
      if ((m.type() === "error" || m.type() === "warning") && !failing) complaints.push(m.text());
    });
    page.on("pageerror", (e) => complaints.push(String(e)));
    page.on("request", (r) => {
      if (new URL(r.url()).origin !== new URL(address).origin) strangers.push(r.url());
    });
    await use();
    expect(complaints, "what the page complained of").toEqual([]);
    expect(strangers, "whom else it asked").toEqual([]);
  }, { auto: true }],
  open: async ({ page, address }, use) => use(async (search = "") => {
    await page.goto(new URL(search, address).href);
    await drawn(page);
  }),
});

// The same tests hold of any daemon: of that at LINEAGE_URL where there is one.
export const anyTest = process.env["LINEAGE_URL"]
  ? test.extend({ address: async ({}, use) => use(process.env["LINEAGE_URL"]!) })
  : test;

// drawn waits until there are rows, or it is said why there are none.
export async function drawn(page: Page) {
  await expect(page.locator(".row:visible, #nothing b, .notice.bad, #wrong").first()).toBeVisible();
}

// rows are the names of the rows in sight from the top, behind a space for each
// level; "*" follows a hit, ">" goes before the selected one.
export async function rows(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return [...document.querySelectorAll<HTMLElement>(".row:not([hidden])")]
      .sort((a, b) => Number(a.ariaRowIndex) - Number(b.ariaRowIndex))
      .map((r) => {
        const many = r.querySelector(".many")!.textContent;
        return " ".repeat(Number(r.ariaLevel) - 1) + (r.classList.contains("selected") ? ">" : "") + r.querySelector(".name")!.textContent +
          (many ? ` ${many}` : "") + (r.classList.contains("hit") ? "*" : "");
      });
  });
}

// row is the rows of a name that are in sight.
export const row = (page: Page, name: string) => page.locator(".row:visible").filter({ has: page.getByText(name, { exact: true }).and(page.locator(".name")) });

// pick selects the row of a name, also where rows are moving under the pointer.
export async function pick(page: Page, name: string) {
  await expect(async () => {
    await row(page, name).click({ timeout: 5e3 });
    await expect(row(page, name)).toHaveClass(/selected/, { timeout: 1e3 });
  }).toPass({ timeout: 20e3 });
}

export async function press(page: Page, ...keys: string[]) {
  for (const key of keys) await page.keyboard.press(key);
}

// place is what the address says.
export const place = (page: Page) => Object.fromEntries(new URL(page.url()).searchParams);

export { expect };
