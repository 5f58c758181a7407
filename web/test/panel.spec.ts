// The details of the selected process, and what is copied from them.

import { execFileSync } from "node:child_process";
import { expect, pick, place, press, rows, test } from "./open";
import { hostile, id } from "./world";

test("the panel has the chain, both PIDs, usage and the evidence", async ({ page, open }) => {
  await open("?q=name:curl");
  await pick(page, "curl");
  const panel = page.locator("#panel");
  await expect(panel.locator(".pids")).toHaveText("PID 2300, inside 57");
  await expect(panel.locator(".state")).toHaveText("Exited 22.");
  await expect(panel.locator(".chain").first().locator("li")).toHaveText([/systemd\s*1/, /unknown/, /dockerd\s*640/, /containerd-shim\s*2040/, /nginx\s*2061/, /curl\s*2300/]);
  await expect(panel).toContainText("352 ms (user 310 ms, system 42 ms)");
  await expect(panel).toContainText("17.6 MiB at most");
  await expect(panel).toContainText("nginx:1.27");
  await expect(panel.locator("dt:text-is(\"Creator\") + dd")).toHaveText(/^nginx 2061\s+observed$/);
  await expect(panel.locator(".execs li")).toHaveCount(2);
  await expect(panel.locator(".execs .when")).toHaveText(["after 3 ms", "after 12 ms"]);
  await expect(panel.locator(".source")).toContainText("Complete, from bpf, as of ");
});

test("links of the chain go to what they name", async ({ page, open, daemon }) => {
  await open();
  await pick(page, "vim");
  await page.locator("#panel .chain button", { hasText: "sshd 3001" }).click();
  await expect(page.locator("#panel h2")).toHaveText("sshd");
  expect(place(page)["select"]).toBe(id(daemon.world.find((p) => p.pid === 3001)!));
  expect((await rows(page)).filter((r) => r.includes(">"))).toEqual(["   >sshd"]);
  await page.goBack();
  await expect(page.locator("#panel h2")).toHaveText("vim");
});

test("creator and parent are links, where they are known", async ({ page, open }) => {
  await open();
  await pick(page, "agent");
  const fact = (name: string) => page.locator(`#panel dt:text-is("${name}") + dd`);
  await expect(fact("Creator").getByRole("button")).toHaveText("bash 3010");
  await expect(fact("Parent").getByRole("button")).toHaveText("systemd 1");
  await fact("Creator").getByRole("button").click();
  await expect(page.locator("#panel h2")).toHaveText("bash");
  await pick(page, "systemd");
  await expect(page.locator("#panel h2")).toHaveText("systemd");
  await expect(fact("Creator")).toHaveText(/^0\s/);
  await expect(fact("Creator").getByRole("button")).toHaveCount(0);
});

test("of a process that is not in the window that is said", async ({ page, open }) => {
  await open();
  await pick(page, "make");
  await expect(page.locator("#panel h2")).toHaveText("make");
  await expect(page.locator("#panel")).not.toContainText("Not in the window");
  await press(page, "C");
  await expect(page.locator("#panel")).not.toContainText("Not in the window");
  await page.getByLabel("The window", { exact: true }).selectOption({ label: "Last 1 min" });
  await expect(page.locator("#panel")).toContainText("Not in the window.");
  await expect(page.locator("#panel h2")).toHaveText("make");
});

test("a link to what is in a closed branch opens it", async ({ page, open }) => {
  await open();
  await pick(page, "vim");
  await press(page, "C");
  await page.locator("#panel .chain button", { hasText: "bash" }).click();
  expect(await rows(page)).toContain("    >bash +71");
});

test("whose child it is, where that is another than who made it", async ({ page, open }) => {
  await open();
  await pick(page, "agent");
  await expect(page.locator("#panel h3", { hasText: "Whose child it is" })).toBeVisible();
  await expect(page.locator("#panel .chain").nth(1).locator("li")).toHaveText([/systemd\s*1/, /agent\s*3060/]);
  await expect(page.locator("#panel")).toContainText("replaced by [redacted]");
});

test("the panel follows the keys, and goes with Escape", async ({ page, open }) => {
  await open();
  await pick(page, "bash");
  await press(page, "j");
  await expect(page.locator("#panel h2")).toHaveText("vim");
  await press(page, "Escape");
  await expect(page.locator("#panel")).toBeHidden();
  expect(place(page)["panel"]).toBe("no");
  await press(page, "i");
  await expect(page.locator("#panel h2")).toHaveText("vim");
});

test.describe("a process that is gone", () => {
  test.use({ fails: true });
  test("is said to be", async ({ page, open }) => {
    await open("?select=4242@1.00");
    await expect(page.locator("#panel")).toContainText("No process 4242@1.00 is known. It may be beyond the retention.");
  });
});

test.describe("hostile arguments", () => {
  test.use({ world: async ({}, use) => use(hostile()), fails: true });

  test("are copied as a command line that a shell takes for just these", async ({ page, open, daemon }) => {
    await open();
    await pick(page, "<script>x()</script>");
    await page.locator("#panel h3 .copy").click();
    await expect(page.locator("#said")).toHaveText("Copied.");
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).not.toMatch(/[\x00-\x1f\x7f\u202e]/); // nothing of it acts on a terminal
    const said = execFileSync("/bin/bash", ["--norc", "-c", `printf '%s\\0' ${copied}`], { env: { LC_ALL: "C.UTF-8" }, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
    expect(said.split("\0").slice(0, -1)).toEqual(daemon.world[1].args);
  });

  test("stay text", async ({ page, open }) => {
    await open("?by=unit");
    await press(page, "E");
    const names = (await rows(page)).map((r) => r.trim());
    expect(names).toContain("<script>x()</script>");
    expect(names).toContain("\\u202egpj.exe");
    expect(names).toContain("a\\nb\\x1b[2J");
    expect(names).toContain("<b>unit0</b> 1 process");
    for (const name of ["<script>x()</script>", "<img src=x onerr", "\\u202egpj.exe", "a\\nb\\x1b[2J", "'\"`${1}{{7*7}}", "javascript:x()"]) {
      await pick(page, name);
      await expect(page.locator("#panel h2")).toHaveText(name);
      await expect(page.locator("#panel dd", { hasText: "<svg onload=alert(1)>" })).toBeVisible();
    }
    await press(page, "Enter", "/");
    await page.keyboard.type("<img src=x onerror=\"document.title='owned'\">");
    await press(page, "Enter");
    await expect(page.locator("#search")).not.toHaveValue("");
    await page.waitForFunction(() => document.title === "lineage");
    const strange = await page.evaluate(() => document.querySelectorAll("body script, body img, body svg, body b:not(#nothing b, .notice b, #panel .chain b, #wrong b), .tree *:not(span)").length);
    expect(strange).toBe(0);
    expect(await page.title()).toBe("lineage");
  });
});
