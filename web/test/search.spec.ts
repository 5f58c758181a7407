// Search: what matches with what it is under, the hits one by one, mistakes.

import { expect, place, press, row, rows, test } from "./open";

// type searches for a text, all of it at once: where keys come slowly, a part is searched for too.
const type = async (page: import("@playwright/test").Page, q: string) => {
  await press(page, "/");
  await page.locator("#search").fill(q);
  await press(page, "Enter");
};

test("a search keeps those above its hits", async ({ page, open }) => {
  await open();
  await type(page, "nginx container:web");
  await expect(page.locator(".hits")).toHaveText("5 hits");
  expect(await rows(page)).toEqual(["systemd", " unknown", "  dockerd", "   containerd-shim", "    nginx*", "     nginx ×4*"]);
  expect(place(page)["q"]).toBe("nginx container:web");
  await press(page, "Escape");
  await expect(row(page, "kthreadd")).toHaveCount(0); // it is below what is in sight
  await expect(row(page, "vim")).toBeVisible();
  expect(place(page)["q"]).toBeUndefined();
});

test("n and N go through the hits and open what they are in", async ({ page, open }) => {
  await open("?q=nginx");
  await press(page, "n");
  await expect(page.locator(".hits")).toHaveText("1 of 5 hits");
  await press(page, "n");
  await expect(page.locator(".hits")).toHaveText("2 of 5 hits");
  expect(await rows(page)).toEqual(["systemd", " unknown", "  dockerd", "   containerd-shim", "    nginx*", "     nginx ×4*", "      >nginx*", "      nginx*", "      nginx*", "      nginx*"]);
  await press(page, "N", "N");
  await expect(page.locator(".hits")).toHaveText("5 of 5 hits");
  await press(page, "C", "n");
  await expect(page.locator(".hits")).toHaveText("1 of 5 hits");
  expect(await rows(page)).toContain("    >nginx +4*");
});

test("the path to a selected one opens by itself", async ({ page, open }) => {
  await open();
  await press(page, "C");
  await type(page, "name:vim");
  await expect(page.locator(".hits")).toHaveText("1 hit");
  expect(await rows(page)).toEqual(["systemd", " unknown", "  sshd", "   sshd", "    bash", "     vim*"]);
});

test("a mistake is said where it is made, and the rows stay", async ({ page, open, daemon }) => {
  await open();
  await type(page, "vim");
  await expect(page.locator(".hits")).toHaveText("1 hit");
  await type(page, "<b>colour</b>:red colour:red");
  const wrong = page.locator("#wrong");
  await expect(wrong).toContainText("there is nothing called \"colour\" to ask for");
  await expect(wrong).toContainText("The terms are: text, match, pid");
  await expect(page.locator("#search")).toHaveAttribute("aria-invalid", "true");
  await expect(row(page, "vim")).toBeVisible();
  const asked = daemon.asked.length;
  await type(page, "\"no end");
  await expect(wrong).toContainText("a quote has no end");
  expect(daemon.asked.length).toBeGreaterThan(asked);
  await press(page, "/", "Escape");
  await expect(wrong).toHaveCount(0);
});
test.use({ fails: true });

test("chips", async ({ page, open }) => {
  await open();
  await page.getByRole("button", { name: "Failed", exact: true }).click();
  await expect(page.locator(".hits")).toHaveText("5 hits");
  expect((await rows(page)).map((r) => r.trim())).toEqual(["systemd", "unknown", "dockerd", "containerd-shim", "nginx", "curl", "sshd", "sshd", "bash", "make", "sh", "cc1", "sleep"]);
  await page.getByRole("button", { name: "Running", exact: true }).click();
  await expect(row(page, "curl")).toHaveCount(0);
  await expect(row(page, "vim")).toBeVisible();
  await page.getByRole("button", { name: "Ended", exact: true }).click();
  await expect(row(page, "make")).toBeVisible();
  await expect(row(page, "vim")).toHaveCount(0);
  expect(place(page)["only"]).toBe("ended");
  await page.getByRole("button", { name: "All", exact: true }).click();
  await expect(row(page, "vim")).toBeVisible();
});

test("since: in a search sets the window, and a drag takes it over", async ({ page, open }) => {
  await open();
  await type(page, "vim since:2m");
  await expect(page.locator(".hits")).toHaveText("1 hit");
  // It began before the window, so that its bar is all of it.
  await expect.poll(() => row(page, "vim").locator(".bar").evaluate((e) => parseFloat(e.style.left))).toBeLessThan(0);
  await press(page, "a");
  await expect(page.locator("#search")).toHaveValue("vim");
  await expect.poll(() => place(page)["q"]).toBe("vim");
  expect(Date.parse(place(page)["until"]) - Date.parse(place(page)["since"])).toBeCloseTo(120e3, -3);
});

test("the window that a search sets is the one that is named", async ({ page, open }) => {
  await open();
  const window = page.getByLabel("The window", { exact: true });
  await type(page, "vim since:10m");
  await expect(page.locator(".hits")).toHaveText("1 hit");
  await expect(window.locator("option:checked")).toHaveText(/ \(10 min\)$/);
  await window.selectOption({ label: "Last 15 min" });
  await expect(page.locator("#search")).toHaveValue("vim");
  await expect(window.locator("option:checked")).toHaveText("Last 15 min");
  expect(place(page)).toEqual({ q: "vim", last: "900s" });
});

test("what is marked of a hit is where the words are", async ({ page, open }) => {
  await open();
  const marks = (name: string) => row(page, name).first().evaluate((r) => [".name", ".cmd"].filter((part) => getComputedStyle(r.querySelector(part)!).boxShadow !== "none"));
  await type(page, "daemon");
  await expect(page.locator(".hits")).toHaveText("1 hit");
  await expect.poll(() => marks("nginx")).toEqual([".cmd"]);
  await type(page, "VIM");
  await expect(page.locator(".hits")).toHaveText("1 hit");
  await expect.poll(() => marks("vim")).toEqual([".name"]);
  await type(page, "vim \"on the\"");
  await expect(page.locator(".hits")).toHaveText("1 hit");
  await expect.poll(() => marks("vim")).toEqual([".name", ".cmd"]);
  await type(page, "name:vim");
  await expect(row(page, "vim")).toBeVisible();
  await expect.poll(() => marks("vim")).toEqual([".name"]);
});

test("nothing matches", async ({ page, open }) => {
  await open("?q=nothinglikeit");
  await expect(page.locator("#nothing")).toContainText("Nothing matches in the last 5 min.");
  await page.getByRole("button", { name: "Clear the search" }).click();
  await expect(row(page, "vim")).toBeVisible();
});
