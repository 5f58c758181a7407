// What happens is shown as it happens, and what is missed is made up for.

import { expect, pick, press, row, rows, test } from "./open";
import { host, id } from "./world";
import type { Made } from "./world";

const connection = ".connection";

// born is a process that a shell starts now.
function born(daemon: import("./fake").Fake, pid: number, name: string): Made {
  return { pid, name, args: [name, "--flag"], under: daemon.world.find((p) => p.pid === 3010)!, began: daemon.age, session: "7" };
}

test("forks, execs and exits come by themselves", async ({ page, open, daemon }) => {
  await open();
  await expect(page.locator(connection)).toHaveText("live");
  const asked = daemon.asked.filter((a) => a.startsWith("/v1/tree")).length;
  const p = born(daemon, 5001, "bash");
  daemon.tell("fork", p);
  await press(page, "End");
  await expect(row(page, "defunct")).toBeVisible();
  await expect(page.locator(".row", { hasText: "5001" })).toBeVisible();
  p.name = "brandnew";
  daemon.tell("exec", p);
  await expect(row(page, "brandnew")).toBeVisible();
  await expect(row(page, "brandnew").locator(".bar")).toHaveClass(/open/);
  p.ended = daemon.age;
  p.signal = "SIGSEGV";
  daemon.tell("exit", p);
  await expect(row(page, "brandnew").locator(".badge")).toHaveText("SIGSEGV");
  await expect(row(page, "brandnew")).toHaveClass(/failed/);
  expect(daemon.asked.filter((a) => a.startsWith("/v1/tree")).length).toBe(asked);
});

test("the source is that of what is shown", async ({ page, open, daemon }) => {
  daemon.source = "history";
  daemon.stream = "bpf";
  await open();
  await expect(page.locator(connection)).toHaveAttribute("title", "What happens is shown as it happens, by bpf.");
  await expect(page.locator(".facts span").nth(1)).toHaveText("source history");
});

test("what happened while the stream was cut is told when it is there again", async ({ page, open, daemon }) => {
  await open();
  await expect(page.locator(connection)).toHaveText("live");
  daemon.tell("fork", born(daemon, 5002, "before"));
  await press(page, "End");
  await expect(row(page, "before")).toBeVisible();
  daemon.cut();
  daemon.tell("fork", born(daemon, 5003, "meanwhile"));
  await expect(row(page, "meanwhile")).toBeVisible();
  await expect(page.locator(connection)).toHaveText("live");
  expect(daemon.asked.filter((a) => a.startsWith("/v1/events")).at(-1)).toBe("/v1/events?last_event_id=1");
});

test("a loss has the rows asked for again", async ({ page, open, daemon }) => {
  await open();
  await expect(page.locator(connection)).toHaveText("live");
  const p = born(daemon, 5004, "unheard");
  daemon.world.push(p);
  daemon.tell("loss", p);
  await press(page, "End");
  await expect(row(page, "unheard")).toBeVisible();
});

test("children that are left are shown with their new parent", async ({ page, open, daemon }) => {
  const mother = { ...born(daemon, 5005, "mother"), began: 5e3 }, child: Made = { pid: 5006, name: "child", under: mother, began: 4e3 };
  daemon.world.push(mother, child);
  await open("?q=child");
  await open();
  await expect(page.locator(connection)).toHaveText("live");
  mother.ended = daemon.age;
  mother.status = 0;
  child.parent = daemon.world[0];
  daemon.tell("exit", mother);
  await press(page, "End");
  await expect(row(page, "child").locator(".kin")).toHaveText("now under 1");
});

test("a search is asked again when something happens", async ({ page, open, daemon }) => {
  await open("?q=name:brandnew");
  await expect(page.locator("#nothing")).toContainText("Nothing matches");
  await expect(page.locator(connection)).toHaveText("live");
  daemon.tell("fork", born(daemon, 5007, "brandnew"));
  await expect(row(page, "brandnew")).toBeVisible();
  await expect(page.locator(".hits")).toHaveText("1 hit");
});

test("the selected process in the panel ends", async ({ page, open, daemon }) => {
  await open();
  await pick(page, "vim");
  await expect(page.locator("#panel .state")).toHaveText("Runs.");
  const vim = daemon.world.find((p) => p.name === "vim")!;
  vim.ended = daemon.age;
  vim.status = 3;
  daemon.tell("exit", vim);
  await expect(page.locator("#panel .state")).toHaveText("Exited 3.");
});

test("bars of what runs grow, and what ended leaves the window", async ({ page, open, daemon }) => {
  await open("?last=6s");
  await expect(page.locator(connection)).toHaveText("live");
  const brief: Made = { ...born(daemon, 5008, "brief"), began: 9e3 }; // before the window
  daemon.tell("fork", brief);
  await expect(row(page, "brief")).toBeVisible();
  [brief.ended, brief.status] = [daemon.age, 0];
  daemon.tell("exit", brief);
  const left = () => row(page, "brief").locator(".bar").evaluateAll((all) => (all.length > 0 ? parseFloat((all[0] as HTMLElement).style.width) : 0));
  await expect.poll(left).toBeLessThan(95); // of a hundred, while it ran
  await expect(row(page, "brief")).toHaveCount(0);
  await expect(row(page, "systemd")).toBeVisible();
});

test.describe("trouble", () => {
  test.use({ fails: true });

  test("without a stream the rows are asked for", async ({ page, open, daemon }) => {
    daemon.events = false;
    await open();
    await expect(page.locator(connection)).toHaveText("polling");
    daemon.world.push(born(daemon, 5009, "polled"));
    await press(page, "End");
    await expect(row(page, "polled")).toBeVisible();
    daemon.events = true;
    await expect(page.locator(connection)).toHaveText("live");
  });

  test("a daemon that will not have a stream is not asked for it again", async ({ page, open, daemon }) => {
    [daemon.events, daemon.noEvents] = [false, 501];
    const streams = () => daemon.asked.filter((a) => a.startsWith("/v1/events")).length, trees = () => daemon.asked.filter((a) => a.startsWith("/v1/tree")).length;
    await page.clock.install();
    await open();
    await expect(page.locator(connection)).toHaveText("polling");
    await expect.poll(() => daemon.asked.filter((a) => a.startsWith("/v1/status")).length).toBe(1); // it has seen why
    const [before, rows] = [streams(), trees()];
    for (let s = 0; s < 60; s++) await page.clock.runFor(1e3);
    await expect.poll(trees).toBeGreaterThan(rows);
    expect(streams()).toBe(before);
    await press(page, "a", "0");
    await expect(page.locator(connection)).toHaveText("polling");
    expect(streams()).toBe(before);
  });

  test("a daemon that goes away and comes back", async ({ page, open, daemon }) => {
    await open();
    await expect(page.locator(connection)).toHaveText("live");
    await daemon.stop();
    await expect(page.locator(connection)).toHaveText("not connected");
    await expect(page.locator(".notice.bad")).toContainText("The daemon does not answer. What is shown is as of");
    await expect(row(page, "vim")).toBeVisible();
    daemon.world.push(born(daemon, 5010, "meanwhile"));
    await daemon.start();
    await expect(page.locator(".notice.bad")).toHaveCount(0);
    await press(page, "End");
    await expect(row(page, "meanwhile")).toBeVisible();
    await expect(page.locator(connection)).toHaveText("live");
  });

  test("a daemon that refuses says why", async ({ page, open, daemon }) => {
    daemon.refuse = 429;
    await open();
    await expect(page.locator(".notice.bad")).toContainText("There are too many questions. Ask again later.");
    const asks = await page.getByRole("button", { name: "Ask again" }).evaluate((button: HTMLElement) => {
      const { fetch } = window, asked: unknown[] = [];
      window.fetch = (...about) => {
        asked.push(about[0]);
        return fetch(...about);
      };
      button.click();
      window.fetch = fetch;
      return asked;
    });
    expect(asks).not.toEqual([]);
    daemon.refuse = 0;
    await expect(row(page, "vim")).toBeVisible(); // it is asked again by itself too
  });

  test("a daemon with another token is opened with that", async ({ page, open, daemon }) => {
    await open("?q=vim");
    daemon.refuse = 401;
    daemon.cut();
    const notice = page.locator(".notice.bad");
    await press(page, "/", "Escape");
    await expect(notice).toContainText("The daemon was started again: open the address that it printed");
    await expect(page.locator(".connection")).toHaveText("not let in");
    await page.getByLabel("Token").fill("http://127.0.0.1:7979/?token=s%2Fecret");
    const [request] = await Promise.all([page.waitForRequest(/token=/), page.getByRole("button", { name: "Open" }).click()]);
    expect(new URL(request.url()).search).toBe("?token=s%2Fecret");
    await expect(notice).toContainText("The daemon asks for its token");
    await page.goto(`${daemon.url}?q=vim`);
    await page.getByLabel("Token").fill(" a&b ");
    const [other] = await Promise.all([page.waitForRequest(/token=/).finally(() => (daemon.refuse = 0)), page.getByLabel("Token").press("Enter")]);
    expect(new URL(other.url()).search).toBe("?token=a%26b&q=vim");
    await expect(page.locator(".hits")).toHaveText("1 hit");
  });

  test("without a history there is what runs now", async ({ page, open, daemon }) => {
    daemon.history = false;
    await open();
    await expect(page.locator(".notice")).toContainText("No history is kept here: what runs now is all there is. Start lineage serve with a --store.");
    await expect(page.locator(connection)).toHaveText("live");
    await expect(row(page, "make")).toHaveCount(0);
    daemon.tell("fork", born(daemon, 5013, "fresh"));
    await expect(row(page, "fresh")).toBeVisible();
    await press(page, "a");
    await expect(page.locator(".notice.bad")).toContainText("No history is kept here.");
  });

  test("what is wrong with the window is not laid on the search", async ({ page, open, daemon }) => {
    daemon.refuse = 400;
    await open();
    await expect(page.locator(".notice.bad")).toContainText("There are too many questions.");
    await expect(page.locator("#wrong")).toHaveCount(0);
  });

  test("a storm of events is not followed one by one", async ({ page, open, daemon }) => {
    await open();
    await expect(page.locator(connection)).toHaveText("live");
    const p = born(daemon, 5011, "storm");
    daemon.tell("fork", p);
    for (let k = 0; k < 8000; k++) daemon.tell("loss", p); // the shortest there are
    await expect(page.locator(connection)).toHaveText("polling");
    await expect(page.locator(connection)).toHaveAttribute("title", /More happens than is worth following/);
    await press(page, "End");
    await expect(row(page, "storm")).toBeVisible();
  });
});

test("the address keeps what is looked at: back and forward go through it", async ({ page, open, daemon }) => {
  await open();
  await pick(page, "bash");
  await press(page, "Enter");
  await expect(row(page, "systemd")).toHaveCount(0);
  await page.getByLabel("Groups").selectOption("session");
  await press(page, "/");
  await page.locator("#search").fill("vim"); // at once: who types slowly has a step back for each part
  await press(page, "Enter");
  await expect(page.locator(".hits")).toHaveText("1 hit");
  await page.getByRole("button", { name: "Running", exact: true }).click();
  const bash = id(daemon.world.find((p) => p.pid === 3010)!);
  expect(new URL(page.url()).search).toBe(`?q=vim&only=running&by=session&focus=${bash}&select=${bash}`);
  await page.goBack();
  await page.goBack();
  await expect(page.locator("#search")).toHaveValue("");
  await expect(page.getByLabel("Groups")).toHaveValue("session");
  await page.goBack();
  await expect(page.getByLabel("Groups")).toHaveValue("none");
  await page.goBack();
  await expect(row(page, "systemd")).toBeVisible();
  await page.goForward();
  await page.goForward();
  await page.goForward();
  await expect(page.locator(".hits")).toHaveText("1 hit");
  expect((await rows(page))[0]).toBe(">bash");
});

test.describe("an empty host", () => {
  test.use({ world: async ({}, use) => use([]) });
  test("has no rows, and says so until there is one", async ({ page, open, daemon }) => {
    await open();
    await expect(page.locator("#nothing")).toContainText("No process is known");
    daemon.tell("fork", host()[0]);
    await expect(row(page, "systemd")).toBeVisible();
  });
});

test("a page that nobody sees leaves the stream to others, and goes on where it was", async ({ page, open, daemon }) => {
  await open();
  await expect(page.locator(connection)).toHaveText("live");
  const turn = (hidden: boolean) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await turn(true);
  await expect.poll(() => daemon.streams).toBe(0);
  daemon.tell("fork", born(daemon, 5012, "unseen"));
  await turn(false);
  await press(page, "End");
  await expect(row(page, "unseen")).toBeVisible();
  await expect.poll(() => daemon.streams).toBe(1);
});
