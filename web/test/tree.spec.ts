// The list: the tree at the left, the time at the right.

import { expect, pick, place, press, row, rows, test } from "./open";
import { host } from "./world";
import type { Made } from "./world";

test("the tree has folds, unknown ones and both PIDs", async ({ page, open }) => {
  await open();
  expect((await rows(page)).slice(0, 12)).toEqual([
    "systemd", " unknown", "  systemd-journal", "  cron", "  dockerd", "   containerd-shim", "    nginx", "     nginx ×4", "     curl", "    postgres", "     postgres ×3", "  sshd",
  ]);
  await expect(row(page, "nginx").first()).toContainText("2061 (1)");
  await expect(row(page, "unknown")).toContainText("Whether systemd made the 4 below is not known.");
});

test("what failed is red, what has another parent is dashed", async ({ page, open }) => {
  await open();
  const make = row(page, "make");
  await expect(make).toHaveClass(/failed/);
  await expect(make.locator(".badge")).toHaveText("exited 2");
  const color = (of: string) => row(page, of).locator(".bar").evaluate((e) => getComputedStyle(e).backgroundColor);
  expect(await color("make")).not.toEqual(await color("bash"));
  await expect(row(page, "agent").locator(".kin")).toHaveText("now under 1");
  expect(await row(page, "agent").locator(".bar").evaluate((e) => getComputedStyle(e).borderTopStyle)).toBe("dashed");
  expect(await row(page, "vim").locator(".bar").evaluate((e) => getComputedStyle(e).borderTopStyle)).toBe("none");
});

test("an uncertain begin is hatched", async ({ page, daemon, open }) => {
  const found: Made = { pid: 77, name: "found", began: 60e3, scanned: true, under: daemon.world[0] };
  daemon.world.push(found);
  await open("?q=found");
  await expect(row(page, "found").locator(".bar")).toHaveClass(/unsure/);
  expect(await row(page, "found").locator(".bar").evaluate((e) => getComputedStyle(e, "::before").display)).toBe("block");
});

test("branches and folds open and close", async ({ page, open }) => {
  await open();
  await row(page, "nginx").nth(1).locator(".twisty").click();
  expect(await rows(page)).toEqual(expect.arrayContaining(["     nginx ×4", "      nginx"]));
  await row(page, "sshd").first().locator(".twisty").click();
  await expect(row(page, "sshd").first().locator(".many")).toHaveText("+73");
  await expect(row(page, "sshd").first().locator(".badge")).toHaveText("4 failed");
  await expect(row(page, "bash")).toHaveCount(0);
  await press(page, "C");
  expect(await rows(page)).toEqual(["systemd +88", "kthreadd +12"]);
  await press(page, "E");
  await expect(row(page, "bash")).toHaveCount(1);
});

test("keys move through the rows", async ({ page, open }) => {
  await open();
  await press(page, "j", "j");
  expect((await rows(page))[1]).toBe(" >unknown");
  await press(page, "ArrowDown", "j", "j", "l");
  expect(await rows(page)).toContain("   >containerd-shim");
  await press(page, "h");
  await expect(row(page, "containerd-shim")).toHaveAttribute("aria-expanded", "false");
  await press(page, "h");
  expect(await rows(page)).toContain("  >dockerd");
  await press(page, "End");
  await expect(page.locator(".row.selected .name")).toHaveText("kworker/0:1H");
  await press(page, "g");
  await expect(page.locator(".row.selected .name")).toHaveText("systemd");
});

test("focus shows one process and what it made, by link too", async ({ page, open }) => {
  await open();
  await pick(page, "bash");
  await press(page, "Enter");
  expect((await rows(page)).slice(0, 3)).toEqual([">bash", " vim", " agent"]);
  await expect(page.locator("#path")).toHaveText(/all\s*›\s*systemd\s*1\s*›\s*unknown\s*›\s*sshd\s*655\s*›\s*sshd\s*3001\s*›\s*bash\s*3010/);
  await page.goto(page.url());
  await expect(row(page, "bash")).toBeVisible();
  expect((await rows(page))[0]).toBe(">bash");
  await press(page, "Backspace");
  expect((await rows(page)).slice(0, 2)).toEqual(["sshd", " >bash"]);
  await page.locator("#path button", { hasText: "all" }).click();
  expect((await rows(page))[0]).toBe("systemd");
  expect(place(page)["focus"]).toBeUndefined();
});

test("groups", async ({ page, open }) => {
  await open();
  await page.getByLabel("Groups").selectOption("container");
  await expect.poll(async () => (await rows(page)).slice(0, 8)).toEqual(["db 4 processes", " postgres", "  postgres ×3", "web 6 processes", " nginx", "  nginx ×4", "  curl", "no container 92 processes"]);
  for (const [by, first] of [["pod", "db-0 4 processes"], ["unit", "cron.service 1 process"], ["session", "7 73 processes"]] as const) {
    await page.getByLabel("Groups").selectOption(by);
    await expect.poll(async () => (await rows(page))[0]).toBe(first);
  }
  expect(place(page)["by"]).toBe("session");
});

test("the tree by parent", async ({ page, open }) => {
  await open("?edge=parent");
  await expect(row(page, "agent").locator(".kin")).toHaveText("made by 3010");
  expect(await rows(page)).toContain(" agent");
  await expect(row(page, "unknown")).toHaveCount(0);
});

test.describe("a source that knows no creators", () => {
  test.use({ world: async ({}, use) => use(host().map((p) => (p.under ? Object.assign(p, { gap: true }) : p))) });
  test("says so and offers the parents", async ({ page, open }) => {
    await open();
    await page.getByRole("button", { name: "Show the tree by parent" }).click();
    await expect(row(page, "unknown")).toHaveCount(0);
    expect(place(page)["edge"]).toBe("parent");
  });
});
