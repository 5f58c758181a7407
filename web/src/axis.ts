// The axis above the lanes, and what is behind them: a line at each round time, and
// a band for each time of which something is missing on all of them.

import type { Gap } from "./api";
import type { On } from "./gaps";
import { gapText, reason, together } from "./gaps";
import { visible, zone } from "./text";
import type { Range } from "./range";
import { share, ticks } from "./range";

const BANDS = 60; // at most
const TOLD = 10; // gaps that the title of a band tells of

export function drawAxis(axis: HTMLElement, behind: HTMLElement, range: Range, gaps: readonly Gap[], on: On) {
  const marks: HTMLElement[] = [], lines: HTMLElement[] = [];
  const place = (name: string, from: number, to?: number) => {
    const e = document.createElement("span");
    e.className = name;
    e.style.left = `${share(range, from) * 100}%`;
    if (to !== undefined) e.style.width = `${(share(range, to) - share(range, from)) * 100}%`;
    return e;
  };
  const width = axis.clientWidth, seen = gaps.filter((g) => Date.parse(g.until) > range.from && Date.parse(g.since) < range.to);
  // One by one where they are of one host; of several they may be at the same time.
  const apart = on(seen) === "" ? seen.map((g) => ({ since: Date.parse(g.since), until: Date.parse(g.until), of: [g] })) : together(seen);
  const labelled = apart.slice(0, BANDS);
  for (const { at, text } of ticks(range, width / 110)) {
    lines.push(place("line", at));
    const x = share(range, at) * width;
    // It would be cut, or lie under a band's name.
    if (x > width - 40 || labelled.some((g) => x + 55 > share(range, g.since) * width && x < share(range, g.until) * width)) continue;
    const mark = place("mark", at);
    mark.textContent = text;
    marks.push(mark);
  }
  for (const { since, until, of } of labelled) {
    const from = Math.max(since, range.from), to = Math.min(until, range.to), where = on(of);
    if (where === "") lines.push(place("band", from, to));
    const label = place("missing", from, to), same = of.every((g) => g.reason === of[0].reason);
    const lost = of.reduce((sum, g) => sum + (g.lost ?? 0), 0);
    if (share(range, to) - share(range, from) > 70 / width) label.textContent = `${same ? reason({ reason: of[0].reason, lost }) : "something is missing"} ${visible(where)}`.trim();
    label.title = of.slice(0, TOLD).map((g) => gapText(g, on)).join("\n");
    marks.push(label);
  }
  axis.title = `Times of ${zone(range.to)}`;
  axis.replaceChildren(...marks);
  behind.replaceChildren(...lines);
}
