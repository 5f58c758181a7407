// What holds of any daemon: with LINEAGE_URL of that one, else of the fake.

import { keepsRules } from "./axe";
import { anyTest as test, drawn, expect, place, press, rows } from "./open";

test("what runs is listed", async ({ page, open }) => {
  await open();
  await expect(page.locator(".connection")).toHaveText(/^(live|polling|history)$/);
  await expect(page.locator(".facts span")).toHaveText([/^[\d,]+ process(es)?, [\d,]+ running( on [\d,]+ hosts?)?$/, /^source \w+$/, /^(not )?complete$/, /^as of (now|[\d :-]+)$/]);
  await expect(page.getByRole("treegrid", { name: "Processes" })).toBeVisible();
  const shown = page.locator(".row.process:visible");
  expect(await shown.count()).toBeGreaterThan(0);
  await expect(shown.first()).toHaveAttribute("aria-level", /^\d+$/);
  await expect(shown.first().locator(".pid")).toHaveText(/^\d+( \(\d+\))?$/);
});

test("a link shows what was looked at", async ({ page, open, context }) => {
  await open();
  await page.locator(".row.process:visible .name").first().click();
  const name = await page.locator(".row.selected .name").textContent();
  await expect(page.locator("#panel h2")).toHaveText(name!);
  await expect(page.locator("#panel .chain li").last()).toContainText(name!);
  await expect(page.locator("#panel .source")).toContainText(/as of/);
  const other = await context.newPage();
  await other.goto(page.url());
  await drawn(other);
  await expect(other.locator("#panel h2")).toHaveText(name!);
  await expect(other.locator(".row.selected .name")).toHaveText(name!);
  await other.close();
});

test("a search finds what is there, and nothing else", async ({ page, open }) => {
  await open();
  const pid = (await page.locator(".row.process:visible .pid").first().textContent())!.split(" ")[0];
  await press(page, "/");
  await page.locator("#search").fill(`pid:${pid}`);
  await press(page, "Enter");
  await expect(page.locator(".hits")).toHaveText(/[1-9][\d,]* hits?/);
  expect(place(page)["q"]).toBe(`pid:${pid}`);
  await press(page, "n");
  await expect(page.locator(".row.selected")).toHaveClass(/hit/);
  await press(page, "/");
  await page.locator("#search").fill("nothing-is-called-like-this-at-all");
  await press(page, "Enter");
  await expect(page.locator("#nothing")).toContainText("Nothing matches");
  await press(page, "Escape");
  await expect(page.locator(".row.process:visible").first()).toBeVisible();
});

test("all can be done with keys", async ({ page, open }) => {
  await open();
  await press(page, "j");
  await expect(page.locator(".row.selected")).toHaveCount(1);
  await press(page, "?");
  await expect(page.getByRole("dialog")).toBeVisible();
  await press(page, "Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await press(page, "C");
  const closed = await rows(page);
  await press(page, "E");
  await expect.poll(async () => (await rows(page)).length).toBeGreaterThanOrEqual(closed.length);
  await press(page, "a");
  await expect(page.locator(".connection")).toHaveText("history");
  await expect.poll(() => place(page)["since"]).toBeDefined();
  await press(page, "0");
  await expect.poll(() => place(page)["since"]).toBeUndefined();
  // By Tab to each control, and it can be seen where one is.
  await page.locator("#search").focus();
  for (let k = 0; k < 4; k++) await press(page, "Tab");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
  expect(outline).not.toBe("none");
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test("no rule of accessibility is broken", async ({ page, open }) => {
      await open();
      await page.locator(".row.process:visible .name").first().click();
      await expect(page.locator("#panel h2")).toBeVisible();
      await keepsRules(page, "the list with the details");
      await press(page, "?");
      await keepsRules(page, "help");
    });
  });
}

test("dark and light can be chosen, and stay", async ({ page, open }) => {
  await open();
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await press(page, "t");
  expect(await paper()).not.toBe(light);
  const dark = await paper();
  await page.reload();
  await drawn(page);
  expect(await paper()).toBe(dark);
  await press(page, "t");
  expect(await paper()).toBe(light);
});
