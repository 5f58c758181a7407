// The window, the minimap, and what is missing of a time.

import { expect, pick, place, press, row, test } from "./open";

const box = async (page: import("@playwright/test").Page) => (await page.locator("#map").boundingBox())!;

// window is the one in the address.
const window = (page: import("@playwright/test").Page) => [Date.parse(place(page)["since"]), Date.parse(place(page)["until"])];

async function drag(page: import("@playwright/test").Page, from: number, to: number) {
  const map = await box(page), y = map.y + map.height / 3;
  await page.mouse.move(map.x + from, y);
  await page.mouse.down();
  await page.mouse.move(map.x + (from + to) / 2, y);
  await page.mouse.move(map.x + to, y);
  await page.mouse.up();
}

test("the minimap sets, moves, sizes and zooms the window", async ({ page, open, daemon }) => {
  await open();
  await expect(page.locator("#map")).toHaveAttribute("aria-label", /: up to \d\d+ processes in 12 s\./);
  // It is of an hour, and 1280 wide.
  const pixel = 3600e3 / 1280;
  await drag(page, 640, 960);
  await expect.poll(() => (window(page)[1] - window(page)[0]) / pixel).toBeCloseTo(320, -1);
  const first = window(page);
  await expect(page.locator(".connection")).toHaveText("history");
  await expect.poll(() => daemon.asked.some((a) => a.startsWith("/v1/tree") && a.includes(encodeURIComponent(place(page)["since"])))).toBe(true);

  await drag(page, 800, 700);
  await expect.poll(() => (window(page)[0] - first[0]) / pixel).toBeCloseTo(-100, -1);
  const moved = window(page);
  expect(moved[1] - moved[0]).toBe(first[1] - first[0]);

  await drag(page, 860, 900); // its end
  await expect.poll(() => (window(page)[1] - moved[1]) / pixel).toBeCloseTo(40, -1);
  expect(window(page)[0]).toBe(moved[0]);
  const sized = window(page);

  const map = await box(page);
  await page.mouse.move(map.x + 700, map.y + 20);
  await page.mouse.wheel(0, -200);
  await expect.poll(() => window(page)[1] - window(page)[0]).toBeLessThan(sized[1] - sized[0]);
  await page.goBack();
  await expect.poll(() => window(page)).toEqual(sized);
  await page.getByRole("button", { name: "Live" }).click();
  await expect(page.locator(".connection")).toHaveText("live");
  expect(place(page)).toEqual({});
});

test("bars and the axis are on one scale", async ({ page, open, daemon }) => {
  const now = Date.now(), since = now - 250e3, until = now - 50e3;
  await open(`?since=${new Date(since).toISOString()}&until=${new Date(until).toISOString()}`);
  const ticks = (await page.locator("#ticks").boundingBox())!;
  const at = (ms: number) => ticks.x + ((ms - since) / (until - since)) * ticks.width;
  for (const name of ["make", "vim", "postgres"]) {
    const p = daemon.world.find((p) => p.name === name)!;
    const bar = (await row(page, name).first().locator(".bar").boundingBox())!;
    expect(bar.x, name).toBeCloseTo(at(daemon.at(p.began)), 0);
    if (p.ended !== undefined) expect(bar.x + bar.width, name).toBeCloseTo(at(daemon.at(p.ended)), 0);
  }
  // A tick stands where its text says; that of midnight is a date.
  const [text, x] = await page.evaluate(() => {
    const mark = [...document.querySelectorAll("#ticks .mark")].find((e) => /^\d\d:/.test(e.textContent!))!;
    return [mark.textContent!, mark.getBoundingClientRect().x] as const;
  });
  const [h, m, s] = text.split(":").map(Number), day = new Date(now);
  day.setHours(h, m, s || 0, 0);
  if (day.getTime() > until) day.setDate(day.getDate() - 1);
  expect(x).toBeCloseTo(at(day.getTime()), 0);
});

test("keys zoom and move the window, and follow now again", async ({ page, open }) => {
  await open();
  await press(page, "s");
  await expect.poll(() => place(page)["last"]).toBe("429s");
  await press(page, "w", "w");
  await expect.poll(() => place(page)["last"]).toBe("210s");
  await press(page, "a");
  await expect.poll(() => window(page)[1] - window(page)[0]).toBe(210e3);
  await press(page, "0");
  await expect(page.locator(".connection")).toHaveText("live");
  await pick(page, "make");
  await press(page, "z");
  await expect.poll(() => window(page)[1] - window(page)[0]).toBeCloseTo(99e3, -3);
  await page.getByLabel("The window", { exact: true }).selectOption({ label: "Last 1 h" });
  await expect(page.locator(".connection")).toHaveText("live");
  expect(place(page)["last"]).toBe("3600s");
});

test("the wheel zooms at the pointer", async ({ page, open, daemon }) => {
  const iso = (ago: number) => new Date(daemon.at(ago)).toISOString();
  await open(`?since=${iso(300e3)}&until=${iso(0)}`); // a window that stands still
  const bar = row(page, "make").locator(".bar");
  const before = (await bar.boundingBox())!;
  await page.mouse.move(before.x, before.y + 3);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -120);
  await page.keyboard.up("Control");
  await expect.poll(async () => (await bar.boundingBox())!.width).toBeGreaterThan(before.width * 1.2);
  await expect.poll(async () => (await bar.boundingBox())!.x).toBeCloseTo(before.x, -1);
});

test("what is missing is hatched, and said", async ({ page, open, daemon }) => {
  const now = Date.now(), iso = (ago: number) => new Date(now - ago).toISOString();
  daemon.gaps = [{ reason: "away", since: iso(200e3), until: iso(140e3), lost: null, host: null }, { reason: "lost", since: iso(100e3), until: iso(90e3), lost: 312, host: null }];
  daemon.note = "there are gaps in the time that was asked for; <i>some</i> processes are hidden";
  daemon.cannotTell = ["creators: whether a parent made its child is not known"];
  await open(`?since=${iso(280e3)}&until=${iso(20e3)}`);
  await expect(page.locator("#ticks .missing").first()).toHaveText("nobody watched");
  await expect(page.locator("#behind .band")).toHaveCount(2);
  await expect(page.locator(".notice summary")).toHaveText(/^\s*<i>some<\/i> processes are hidden\. Nobody watched for 1 min of this time, and the kernel dropped 312 events\.\s*$/);
  await page.locator(".notice summary").click();
  await expect(page.locator(".notice li")).toHaveText([/: nobody watched$/, /: the kernel dropped 312 events$/]);
  await page.locator(".notice summary").click();
  await expect(page.locator(".facts span").nth(1)).toHaveAttribute("title", "creators: whether a parent made its child is not known");
  await expect(page.locator(".facts span").nth(2)).toHaveText("not complete");
  const [ticks, band] = await page.evaluate(() => ["#ticks", "#behind .band"].map((s) => {
    const { x, width } = document.querySelector(s)!.getBoundingClientRect();
    return { x, width };
  }));
  expect(band.x).toBeCloseTo(ticks.x + (80 / 260) * ticks.width, 0);
  expect(band.width).toBeCloseTo((60 / 260) * ticks.width, 0);
});

test("nothing in a time that nobody watched is said to be so, beside the lanes", async ({ page, open, daemon }) => {
  const now = Date.now(), iso = (ago: number) => new Date(now - ago).toISOString();
  daemon.gaps = [{ reason: "away", since: iso(400e3), until: iso(140e3), lost: null, host: null }];
  await open(`?since=${iso(280e3)}&until=${iso(200e3)}&q=nothinglikeit`);
  await expect(page.locator("#nothing")).toContainText("Nothing matches in the window. Nobody watched in all of this time.");
  const text = (await page.locator("#nothing").boundingBox())!, border = (await page.locator("#splitter").boundingBox())!;
  expect(text.x + text.width).toBeLessThanOrEqual(border.x + border.width);
});

test("how long each lived fits its column", async ({ page, open }) => {
  await open();
  await expect(page.locator("#axis > .time")).toHaveText("Lived");
  const cut = await page.evaluate(() => {
    const cell = document.querySelector<HTMLElement>(".row .time")!;
    return ["≤ 2 min 53 s", "≤ 9 min 59 s", "≤ 23 h 59 min", "≤ 9 d 23 h"].filter((text) => {
      cell.textContent = text;
      return cell.scrollWidth > cell.clientWidth;
    });
  });
  expect(cut).toEqual([]);
});

test("a focus that is not in the window says so", async ({ page, open, daemon }) => {
  const curl = daemon.world.find((p) => p.name === "curl")!, now = Date.now();
  const { id } = await import("./world");
  await open(`?since=${new Date(now - 200e3).toISOString()}&until=${new Date(now - 100e3).toISOString()}&focus=${id(curl)}`);
  await expect(page.locator(".notice", { hasText: "has no row in this window" })).toBeVisible();
  await page.getByRole("button", { name: "Show its time" }).click();
  await expect(row(page, "curl")).toBeVisible();
  await expect(page.locator("#path")).toBeVisible();
});

test("an export is of the window", async ({ page, open }) => {
  await open("?q=vim");
  await page.locator("summary", { hasText: "Export" }).click();
  const href = await page.getByRole("link", { name: "Perfetto trace" }).getAttribute("href");
  const asked = new URL(href!, page.url()).searchParams;
  expect(asked.get("q")).toBe("vim");
  expect(Date.parse(asked.get("until")!) - Date.parse(asked.get("since")!)).toBe(300e3);
});
