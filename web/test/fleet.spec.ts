// Many hosts: which one each process is of, the choice of one, and a server that only
// reads a store.

import { keepsRules } from "./axe";
import { expect, pick, place, press, row, rows, test } from "./open";
import { Fake } from "./fake";
import { fleet, host, hosts, id } from "./world";
import type { Made } from "./world";

type Browser = import("@playwright/test").Page;

const field = (page: Browser) => page.getByRole("combobox", { name: "Host" });
const options = (page: Browser) => page.evaluate(async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return [...document.querySelectorAll<HTMLElement>(".choices [role=option]")].map((o) => o.innerText.trim());
});
const column = (page: Browser) => page.locator(".row:visible .host").allTextContents();
const asked = (daemon: Fake, what: string) => daemon.asked.filter((a) => a.startsWith(`/v1/${what}`));

test.describe("three hosts", () => {
  const three = hosts(3);
  test.use({ daemon: async ({}, use) => {
    const daemon = new Fake(fleet(three));
    [daemon.hosts, daemon.readOnly] = [[...three], true];
    await daemon.start();
    await use(daemon);
    await daemon.stop();
  } });

  test("each row says of which host it is, and none folds with another host's", async ({ page, open }) => {
    await open("?q=sh");
    await expect(page.locator("#axis .host")).toHaveText("Host");
    expect(await rows(page)).toEqual(Array(3).fill(["systemd", " nginx", "  nginx", "   sh*"]).flat());
    expect(await column(page)).toEqual(["web-1", "web-2", "0003c0ffeec0"].flatMap((name) => Array(4).fill(name)));
    await expect(page.locator(".facts span").first()).toHaveText("3 processes, 0 running on 3 hosts");
    await open("?q=sleep");
    expect(await rows(page)).toEqual(Array(3).fill(["systemd", " sleep ×2*"]).flat());
  });

  test("all are on one scale beside the column", async ({ page, open, daemon }) => {
    const now = Date.now(), since = now - 250e3, until = now - 50e3;
    await open(`?since=${new Date(since).toISOString()}&until=${new Date(until).toISOString()}`);
    await expect(page.locator("#axis .host")).toBeVisible();
    const ticks = (await page.locator("#ticks").boundingBox())!, bar = (await row(page, "sh").first().locator(".bar").boundingBox())!;
    expect(bar.x).toBeCloseTo(ticks.x + ((daemon.at(100e3) - since) / (until - since)) * ticks.width, 0);
    const head = (await page.locator("#axis .host").boundingBox())!, cell = (await page.locator(".row:visible .host").first().boundingBox())!;
    expect([cell.x, cell.width]).toEqual([head.x, head.width]);
  });

  test("one host is chosen with keys, and is in the address", async ({ page, open, daemon }) => {
    await open();
    await expect(page.getByRole("listbox")).toHaveCount(0);
    await press(page, "H");
    expect(await options(page)).toEqual(["All 3 hosts", "web-1", "web-2", "0003c0ffeec0"]);
    await press(page, "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "Enter");
    await expect(page.locator("#scroll")).toBeFocused();
    expect(place(page)["host"]).toBe("web-2");
    await expect(field(page)).toHaveValue("web-2");
    await expect(page.locator("#axis .host")).toBeHidden(); // all are of one
    expect(await rows(page)).toEqual(["systemd", " nginx", "  nginx", "   sh", " sleep ×2"]);
    for (const what of ["tree", "counts"]) await expect.poll(() => asked(daemon, what).at(-1)).toContain("host=web-2");
    const href = await page.getByRole("link", { name: "Perfetto trace", includeHidden: true }).getAttribute("href");
    expect(new URL(href!, page.url()).searchParams.get("host")).toBe("web-2");
    await page.reload();
    await expect(field(page)).toHaveValue("web-2");
    await expect(row(page, "sh")).toHaveCount(1);
    await page.goBack();
    await expect(row(page, "sh")).toHaveCount(3);
    await expect(field(page)).toHaveValue("");
  });

  test("a host is found by a part of its name, and left again", async ({ page, open }) => {
    await open();
    await field(page).click();
    await page.keyboard.type("B-1");
    expect(await options(page)).toEqual([expect.stringMatching(/^web-1/)]);
    await press(page, "Escape");
    await expect(page.getByRole("listbox")).toHaveCount(0);
    await expect(field(page)).toHaveValue("");
    await expect(page.locator("#scroll")).toBeFocused();
    await press(page, "H");
    await page.keyboard.type("0003");
    await press(page, "Enter");
    expect(place(page)["host"]).toBe(hosts(3)[2].id);
    await expect(field(page)).toHaveValue("0003c0ffeec0");
    await press(page, "H");
    await page.keyboard.type("nothinglikeit");
    await expect(page.getByText("No host is called like that.")).toBeVisible();
    await press(page, "Enter");
    await expect(page.locator("#said")).toHaveText("No host is called “nothinglikeit”.");
    await page.locator("#scroll").focus();
    await expect(field(page)).toHaveValue("nothinglikeit");
    await expect(field(page)).toHaveAttribute("aria-invalid", "true");
    await press(page, "H", "Escape");
    await expect(field(page)).toHaveValue("0003c0ffeec0");
    await press(page, "H", "ArrowUp", "Enter");
    expect(place(page)["host"]).toBeUndefined();
    await expect(row(page, "sh")).toHaveCount(3);
    await field(page).click();
    await page.getByRole("option", { name: "web-2" }).click();
    expect(place(page)["host"]).toBe("web-2");
  });

  for (const colorScheme of ["light", "dark"] as const) {
    test.describe(colorScheme, () => {
      test.use({ colorScheme });
      test("the choice breaks no rule of accessibility", async ({ page, open }) => {
        await open("?host=web-2");
        await keepsRules(page, "chosen");
        await press(page, "H");
        expect((await options(page)).length).toBe(4);
        await keepsRules(page, "open");
        await page.keyboard.type("nothinglikeit");
        expect(await options(page)).toEqual([]);
        await keepsRules(page, "empty");
      });
    });
  }

  test("the names of hosts stay text", async ({ page, open, daemon }) => {
    daemon.hosts[1] = { ...three[1], name: "<b>\u202eweb</b>" };
    await open("?q=sh");
    await expect(row(page, "sh").nth(1).locator(".host")).toHaveText("<b>\\u202eweb</b>");
    await press(page, "H");
    expect(await options(page)).toContain("<b>\\u202eweb</b>");
    await page.keyboard.type("<b>");
    await press(page, "Enter");
    await expect(field(page)).toHaveValue("<b>\\u202eweb</b>");
    await expect(row(page, "sh")).toHaveCount(1);
    expect(place(page)["host"]).toBe("<b>\u202eweb</b>");
    await row(page, "sh").click();
    await expect(page.locator("#panel .pids")).toHaveText("PID 720 on <b>\\u202eweb</b>");
  });

  test("groups by host", async ({ page, open, daemon }) => {
    await open();
    await page.getByLabel("Groups").selectOption("host");
    await expect(page.locator("#axis .host")).toBeHidden(); // the groups say it
    await expect.poll(async () => (await rows(page)).filter((r) => !r.startsWith(" "))).toEqual(["0003c0ffeec0 6 processes", "web-1 6 processes", "web-2 6 processes"]);
    expect(asked(daemon, "tree").at(-1)).toContain("by=host");
    await expect(page.locator(".row.group:visible .badge:not(:empty)")).toHaveCount(0);
    await press(page, "C");
    await expect(page.locator(".row.group:visible", { hasText: "web-1" }).locator(".badge")).toHaveText("1 failed");
    await expect(page.locator(".row.group:visible", { hasText: "web-2" }).locator(".badge")).toBeEmpty();
  });

  test("the details are of the process of that host, and lead to its host", async ({ page, open, daemon, context }) => {
    await open("?q=sh");
    await row(page, "sh").nth(1).locator(".name").click();
    const panel = page.locator("#panel");
    await expect(panel.locator(".pids")).toHaveText("PID 720 on web-2");
    await expect(panel.locator("pre")).toContainText("# 1");
    const sh = daemon.world.filter((p) => p.name === "sh")[1];
    expect(place(page)["select"]).toBe(`${sh.host}/boot-2/${id(sh)}`);
    expect(asked(daemon, "processes")).toEqual([`/v1/processes/${encodeURIComponent(id(sh))}?boot=boot-2&host=${sh.host}`]);
    // So does a link to it, of a time that it is not of.
    const other = await context.newPage();
    await other.goto(`${daemon.url}?last=1s&select=${place(page)["select"]}`);
    await expect(other.locator("#panel pre")).toContainText("# 1");
    await expect(other.locator("#panel")).toContainText("Not in the window.");
    await other.close();
    await panel.locator(".chain button", { hasText: "nginx 710" }).click();
    await expect(panel.locator(".pids")).toHaveText("PID 710 on web-2");
    await panel.getByRole("button", { name: "web-2" }).click();
    expect(place(page)).toMatchObject({ host: "web-2", q: "sh", select: expect.stringMatching(/^0002.*\/boot-2\/710@/) });
    await expect(page.locator(".row.selected:visible .name")).toHaveText("nginx");
    await expect(field(page)).toHaveValue("web-2");
  });

  test("what ran on a host that is silent is not taken to run still", async ({ page, open, daemon }) => {
    const last = daemon.at(150e3);
    daemon.hosts[0] = { ...three[0], last: new Date(last).toISOString(), behind_seconds: 150 };
    daemon.world = daemon.world.filter((p) => p.host !== three[0].id || p.began > 150e3);
    await open();
    const ticks = (await page.locator("#ticks").boundingBox())!;
    const end = async (r: number) => {
      const bar = (await row(page, "systemd").nth(r).locator(".bar").boundingBox())!;
      return (ticks.x + ticks.width - bar.x - bar.width) / ticks.width;
    };
    await expect(row(page, "systemd").nth(0).locator(".bar")).toHaveClass(/loose/);
    expect(await end(0)).toBeGreaterThan(0.49);
    expect(await end(1)).toBeLessThan(0.01);
    await expect(row(page, "systemd").nth(1).locator(".bar")).toHaveClass(/open/);
    await expect(row(page, "nginx").nth(1).locator(".time")).toHaveText("≥ 1 min 30 s");
    await row(page, "nginx").nth(1).click();
    await expect(page.locator("#panel .state")).toHaveText(/^Ran at .*, when its host was heard of last\.$/);
    await press(page, "H");
    const form = /^web-1\s*heard of (\d+) min(?: (\d+) s)? ago$/, heard = (await options(page))[1];
    expect(heard).toMatch(form);
    const [, min, s] = heard.match(form)!.map((t) => Number(t ?? 0));
    expect(60 * min + s).toBeGreaterThanOrEqual(150);
    expect(60 * min + s).toBeLessThanOrEqual(Math.ceil((Date.now() - last) / 1e3));
  });

  test("what is missing of one host is hatched in its rows alone, and said to be of it", async ({ page, open, daemon }) => {
    const now = Date.now(), iso = (ago: number) => new Date(now - ago).toISOString();
    daemon.gaps = [{ reason: "away", since: iso(200e3), until: iso(140e3), lost: null, host: three[1].id }];
    daemon.note = "there are gaps in the time that was asked for";
    const window = `since=${iso(280e3)}&until=${iso(20e3)}`;
    const hatched = () => page.locator(".row:visible").evaluateAll((all) => all.filter((r) => r.querySelector<HTMLElement>(".lane")!.style.background !== "").map((r) => r.querySelector(".host")!.textContent || r.querySelector(".name")!.textContent));
    await open(`?${window}&q=sh`);
    await expect(page.locator(".notice summary")).toHaveText("Nobody watched on web-2 for 1 min of this time.");
    await expect(page.locator(".facts .warn")).toHaveAttribute("title", "Nobody watched on web-2 for 1 min of this time.");
    await expect.poll(hatched).toEqual(Array(4).fill("web-2"));
    await expect(page.locator("#behind .band")).toHaveCount(0);
    await expect(page.locator("#ticks .missing")).toHaveText("nobody watched on web-2");
    const lane = row(page, "sh").nth(1).locator(".lane"), width = (await lane.boundingBox())!.width;
    const [at, size] = await lane.evaluate((e) => [getComputedStyle(e).backgroundPositionX, getComputedStyle(e).backgroundSize].map(parseFloat));
    expect(at).toBeCloseTo((80 / 260) * width, -1);
    expect(size).toBeCloseTo((60 / 260) * width, -1);
    await open(`?${window}&by=host`);
    await press(page, "C");
    await expect.poll(hatched).toEqual(["web-2"]);
    // Of one host all rows are.
    await open(`?${window}&host=web-2`);
    await expect(page.locator(".notice summary")).toHaveText("Nobody watched for 1 min of this time.");
    await expect(page.locator("#behind .band")).toHaveCount(1);
    daemon.gaps.push({ reason: "away", since: iso(190e3), until: iso(160e3), lost: null, host: three[0].id });
    await open(`?${window}`);
    await expect(page.locator(".notice summary")).toHaveText("Nobody watched on 2 of 3 hosts for up to 1 min of this time.");
    await expect(page.locator("#ticks .missing")).toHaveText("nobody watched on 2 of 3 hosts");
    await page.locator(".notice summary").click();
    await expect(page.locator(".notice li")).toHaveText([/: nobody watched on web-2$/, /: nobody watched on web-1$/]);
  });

  test("a note that does not fit can be opened", async ({ page, open, daemon }) => {
    daemon.note = `nothing has come yet of the last of that time of ${Array.from({ length: 10 }, (_, k) => `a-host-with-a-long-name-${k} (0001c0ffeec0)`).join(", ")} and 700 more`;
    await open();
    const note = page.locator(".notice summary"), closed = (await note.boundingBox())!.height;
    await note.click();
    expect((await note.boundingBox())!.height).toBeGreaterThan(1.5 * closed);
    expect(await note.evaluate((e) => e.scrollWidth <= e.clientWidth)).toBe(true);
    await keepsRules(page, "note");
  });

  test("long names leave room for what tells hosts apart", async ({ page, open, daemon }) => {
    const long = "a-name-of-a-host-that-is-long-".repeat(3);
    daemon.hosts[0] = { ...three[0], name: long };
    daemon.hosts[1] = { ...three[1], name: long };
    await page.setViewportSize({ width: 420, height: 800 });
    const fits = (e: Element) => e.scrollWidth <= e.clientWidth && e.getBoundingClientRect().right <= e.parentElement!.getBoundingClientRect().right;
    await open("?by=host");
    await expect(page.locator(".row.group:visible .pid:not(:empty)")).toHaveCount(2);
    for (const many of await page.locator(".row.group:visible :is(.many, .pid:not(:empty))").all()) expect(await many.evaluate(fits)).toBe(true);
    expect(await page.locator(".facts span").first().evaluate(fits)).toBe(true);
    await press(page, "H");
    const ids = page.locator(".choices code");
    await expect(ids).toHaveText(["(0001c0ffeec0)", "(0002c0ffeec0)"]);
    for (const id of await ids.all()) expect(await id.evaluate(fits)).toBe(true);
    await press(page, "Escape");
    await page.setViewportSize({ width: 1280, height: 800 });
    await open("?q=sh");
    await row(page, "sh").first().click();
    const title = page.locator("#panel h2");
    await expect(title).toHaveText("sh");
    expect((await title.boundingBox())!.height).toBeLessThan(30);
  });

  test("a process of an earlier boot is told from those of now", async ({ page, open, daemon }) => {
    const earlier: Made = { pid: 720, name: "old", began: 100e3, ended: 99e3, host: three[1].id, boot: "boot-1.9" };
    daemon.world.push(earlier);
    await open("?host=web-2");
    await pick(page, "old");
    await expect(page.locator("#panel")).toContainText("an earlier one, boot-1.9");
    expect(place(page)["select"]).toBe(`${three[1].id}/boot-1.9/${id(earlier)}`);
    await pick(page, "sh");
    await expect(page.locator("#panel h2")).toHaveText("sh");
    await expect(page.locator("#panel")).not.toContainText("an earlier one");
  });

  test("across hosts by who is above, and one host in the search", async ({ page, open }) => {
    await open("?q=sh%20ancestor:nginx");
    await expect(page.locator(".hits")).toHaveText("3 hits");
    expect(await page.locator(".row.by-name").count()).toBe(3);
    await open("?q=sh%20host:web-2");
    await expect(page.locator(".hits")).toHaveText("1 hit");
    await press(page, "n");
    await press(page, "i");
    await expect(page.locator("#panel .pids")).toHaveText("PID 720 on web-2");
    await press(page, "?");
    for (const term of ["ancestor:nginx", "host:web-1"]) await expect(page.getByRole("dialog").getByText(term, { exact: true })).toBeVisible();
  });

  test("nothing of a host is said to be of that, and all can be had", async ({ page, open }) => {
    await open("?host=web-2&q=cron");
    await expect(page.locator("#nothing")).toContainText("Nothing matches of web-2 in the last 5 min.");
    await page.locator("#nothing").getByRole("button", { name: "All hosts" }).click();
    await expect(page.locator("#nothing")).toContainText("Nothing matches in the last 5 min.");
    expect(place(page)).toEqual({ q: "cron" });
  });

  test("what only reads a store asks now and then, and never for events", async ({ page, open, daemon }) => {
    await open();
    await expect(page.locator(".connection")).toHaveText("history");
    await expect(page.locator(".connection")).toHaveAttribute("title", /asked again every few seconds/);
    expect(asked(daemon, "hosts").length).toBe(1);
    const nginx = daemon.world.find((p) => p.pid === 710)!;
    daemon.world.push({ pid: 999, name: "fresh", under: nginx, host: nginx.host!, began: daemon.age });
    await expect(row(page, "fresh")).toBeVisible();
    await press(page, "a");
    await page.getByRole("button", { name: "Last 5 min" }).click();
    expect(place(page)).toEqual({});
    await expect(row(page, "fresh")).toBeVisible();
    await expect(page.getByRole("button", { name: "Live" })).toHaveCount(0);
    expect(asked(daemon, "events")).toEqual([]);
    expect(asked(daemon, "hosts").length).toBe(1);
  });

  test("a long window is asked for less often", async ({ page, open, daemon }) => {
    await page.clock.install();
    await open("?last=86400s");
    await expect(row(page, "sh").first()).toBeVisible();
    const before = asked(daemon, "tree").length;
    await page.clock.runFor(30e3);
    expect(asked(daemon, "tree").length).toBe(before);
    await expect.poll(async () => {
      if (asked(daemon, "tree").length === before) await page.clock.runFor(10e3);
      return asked(daemon, "tree").length;
    }).toBe(before + 1);
  });

  test("rows that answer what was asked before are shown to", async ({ page, open, daemon }) => {
    await open();
    const dim = () => page.locator(".row:visible").first().evaluate((e) => Number(getComputedStyle(e).opacity));
    expect(await dim()).toBe(1);
    let answer!: () => void;
    daemon.slow = new Promise((done) => { answer = done; });
    await page.getByRole("button", { name: "Failed", exact: true }).click();
    await expect(page.locator("#list")).toHaveAttribute("aria-busy", "true");
    await expect.poll(dim).toBeLessThan(0.5);
    await expect(row(page, "sleep").first()).toBeVisible();
    answer();
    await expect(page.locator("#list")).toHaveAttribute("aria-busy", "false");
    await expect(row(page, "sleep")).toHaveCount(0);
    expect(await dim()).toBe(1);
  });

  test.describe("a store that does not answer", () => {
    test.use({ fails: true });

    test("is asked now and then, and never for events", async ({ page, open, daemon }) => {
      daemon.down = true;
      await page.clock.install();
      await open();
      await expect(page.locator(".connection")).toHaveText("history");
      await expect(page.locator(".notice.bad")).toContainText("The history does not answer. See the log of the daemon. It is asked again now and then.");
      await expect(field(page)).toHaveAttribute("placeholder", "All hosts");
      const trees = asked(daemon, "tree").length;
      for (let s = 0; s < 120; s++) {
        await page.clock.runFor(1e3);
        await page.evaluate(() => fetch("./v1/none").then(() => {})); // the answers before it are there
      }
      expect(asked(daemon, "tree").length - trees).toBeLessThan(8);
      expect(asked(daemon, "events")).toEqual([]);
      daemon.down = false;
      await page.getByRole("button", { name: "Ask again" }).click();
      await expect(row(page, "sh")).toHaveCount(3);
      await expect(field(page)).toHaveAttribute("placeholder", "All 3 hosts");
      await expect(page.locator(".connection")).toHaveText("history");
    });

    test("leaves no rows of another question", async ({ page, open, daemon }) => {
      await open();
      daemon.down = true;
      await page.getByRole("button", { name: "Failed", exact: true }).click();
      await expect(page.locator(".notice.bad")).toContainText("The history does not answer.");
      await expect(page.locator(".row:visible")).toHaveCount(0);
      await expect(page.locator(".facts")).toBeEmpty();
      await expect(field(page)).toHaveAttribute("placeholder", "All 3 hosts");
      daemon.down = false;
      await expect(row(page, "sh")).toHaveCount(1); // it is asked again by itself
    });
  });

  test.describe("a host that nobody knows", () => {
    test.use({ fails: true });
    test("is said to be, and all hosts can be had", async ({ page, open }) => {
      await open("?host=gone");
      await expect(page.locator(".notice.bad")).toContainText("The history has nothing of a host \"gone\".");
      await expect(field(page)).toHaveValue("gone");
      await page.locator(".notice").getByRole("button", { name: "All hosts" }).click();
      await expect(row(page, "sh")).toHaveCount(3);
    });
  });
});

test.describe("a thousand hosts", () => {
  const thousand = hosts(1000);
  test.use({ daemon: async ({}, use) => {
    const daemon = new Fake(fleet(thousand));
    [daemon.hosts, daemon.readOnly] = [thousand, true];
    await daemon.start();
    await use(daemon);
    await daemon.stop();
  } });

  test("one of them is a few letters away", async ({ page, open }) => {
    await open();
    await expect(field(page)).toHaveAttribute("placeholder", "All 1,000 hosts");
    await press(page, "H");
    expect((await options(page)).slice(0, 4)).toEqual(["All 1,000 hosts", "web-1", "web-2", "web-3"]);
    expect((await options(page)).length).toBe(100);
    await expect(page.getByText("and 901 more: type a part of the name")).toBeVisible();
    await page.keyboard.type("web-73");
    expect(await options(page)).toEqual(["web-73", ...Array.from({ length: 10 }, (_, k) => `web-${730 + k}`)]);
    await press(page, "PageDown");
    await expect(page.getByRole("option", { selected: true }).and(page.locator(".choices li"))).toBeInViewport();
    await press(page, "Enter");
    expect(place(page)["host"]).toBe("web-739");
    await expect(row(page, "sh")).toHaveCount(1);
    await press(page, "H");
    expect((await options(page)).slice(0, 3)).toEqual(["All 1,000 hosts", "web-739", "web-1"]);
    await expect(page.locator(".choices li[aria-selected=true]")).toHaveText("web-739");
  });

  test("more rows than the limit name the hosts as a way out", async ({ page, open, daemon }) => {
    for (const p of fleet(thousand)) daemon.world.push({ ...p, boot: "another" }, { ...p, boot: "third" }, { ...p, boot: "fourth" });
    await open("?last=3600s");
    await expect(page.locator(".notice")).toContainText("There are more than 20,000 rows. Those that started last are shown: choose a host, search, or make the window shorter.");
    await expect(page.locator(".facts span").first()).toContainText("on 1,000 hosts");
  });
});

test.describe("a daemon whose history is of other hosts too", () => {
  test.use({ daemon: async ({}, use) => {
    const daemon = new Fake(host()), [desk] = daemon.hosts;
    daemon.hosts = [desk, ...hosts(2)];
    daemon.world.push(...fleet(hosts(2)));
    await daemon.start();
    await use(daemon);
    await daemon.stop();
  } });

  test("follows its own host, by events, and asks for another one", async ({ page, open, daemon }) => {
    const bash = daemon.world.find((p) => p.pid === 3010)!;
    await open(`?focus=${id(bash)}`);
    await expect(page.locator(".connection")).toHaveText("live");
    const before = asked(daemon, "tree").length;
    const p = { pid: 5001, name: "fresh", args: ["fresh"], under: bash, began: daemon.age };
    daemon.tell("fork", p);
    await expect(row(page, "fresh")).toHaveCount(1);
    await expect(row(page, "fresh").locator(".host")).toHaveText("desk");
    daemon.tell("exec", daemon.world.find((p) => p.name === "vim")!);
    expect(asked(daemon, "tree").length).toBe(before);
    await expect(row(page, "vim")).toHaveCount(1); // it is the one that was there
    await pick(page, "fresh");
    expect(place(page)["select"]).toBe(id(p));
    await press(page, "H");
    await page.keyboard.type("web-1");
    await press(page, "Enter");
    await expect(page.locator(".connection")).toHaveText("history");
    await expect.poll(() => daemon.streams).toBe(0);
    await expect.poll(() => rows(page)).toEqual(["systemd", " nginx", "  nginx", "   sh", " sleep ×2"]);
    await press(page, "H");
    await page.keyboard.type("desk");
    await press(page, "Enter");
    await expect(page.locator(".connection")).toHaveText("live");
    await expect(page.locator(".row.selected:visible .name")).toHaveText("fresh");
  });

  test("a link to one host follows it as it may", async ({ page, open, daemon }) => {
    await open("?host=desk");
    await expect(page.locator(".connection")).toHaveText("live");
    await open("?host=web-1");
    await expect(page.locator(".connection")).toHaveText("history");
    expect(asked(daemon, "events").length).toBe(1);
  });
});

test("with one host there is no column and nothing to choose", async ({ page, open, daemon }) => {
  await open();
  await expect(row(page, "vim")).toBeVisible();
  await expect(page.locator("#axis .host")).toBeHidden();
  await expect(field(page)).toHaveCount(0);
  await expect(page.getByLabel("Groups").locator("option")).toHaveCount(5);
  await press(page, "H");
  await expect(page.locator("#scroll")).toBeFocused();
  expect(asked(daemon, "hosts").length).toBe(1);
});
