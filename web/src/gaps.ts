// What is missing of a time: when, why, and of which hosts.

import type { Gap } from "./api";
import { clock, duration, plural, sentence, visible } from "./text";
import type { Range } from "./range";
import { share } from "./range";

const LAYERS = 20; // gaps that are drawn in a row at most

// On says on which hosts gaps are, empty where what is shown is of one.
export type On = (gaps: readonly Gap[]) => string;

export const nowhere: On = () => "";

// reason says why something is missing.
export function reason(gap: Pick<Gap, "reason" | "lost">): string {
  const many = gap.lost !== null && gap.lost > 0 ? ` ${plural(gap.lost, gap.reason === "dropped" ? "record" : "event")}` : "";
  switch (gap.reason) {
    case "away": return "nobody watched";
    case "lost": return many ? `the kernel dropped${many}` : "the kernel dropped events";
    case "damaged": return "what was written can no longer be read";
    case "dropped": return many ? `the store could not keep up:${many} dropped` : "the store could not keep up";
  }
}

const spaced = (text: string) => (text === "" ? "" : ` ${visible(text)}`);

export const gapText = (gap: Gap, on: On = nowhere) => `${clock(Date.parse(gap.since))} – ${clock(Date.parse(gap.until))}: ${reason(gap)}${spaced(on([gap]))}`;

// missed says in a sentence what is missing of a window, empty where nothing is.
export function missed(gaps: readonly Gap[], w: Range, on: On): string {
  const kinds: string[] = [];
  for (const why of ["away", "lost", "dropped", "damaged"] as const) {
    const of = gaps.filter((g) => g.reason === why);
    if (of.length === 0) continue;
    const text = reason({ reason: why, lost: of.reduce((sum, g) => sum + (g.lost ?? 0), 0) }) + spaced(on(of));
    if (why === "lost" || why === "dropped") {
      kinds.push(text);
      continue;
    }
    const gone = new Map<string | null, number>(); // ms of each host
    for (const g of of) gone.set(g.host, (gone.get(g.host) ?? 0) + Math.min(w.to, Date.parse(g.until)) - Math.max(w.from, Date.parse(g.since)));
    const most = Math.max(...gone.values()), all = Math.min(...gone.values()) > 0.999 * (w.to - w.from);
    kinds.push(all ? `${text} in all of this time` : `${text} for ${gone.size > 1 ? "up to " : ""}${duration(most)} of this time`);
  }
  return sentence(kinds.join(", and "));
}

// together puts those that overlap into one, the earliest first.
export function together(gaps: readonly Gap[]): { since: number; until: number; of: Gap[] }[] {
  const all: { since: number; until: number; of: Gap[] }[] = [];
  for (const gap of gaps.toSorted((a, b) => Date.parse(a.since) - Date.parse(b.since))) {
    const last = all.at(-1), since = Date.parse(gap.since), until = Date.parse(gap.until);
    if (!last || since > last.until) all.push({ since, until, of: [gap] });
    else {
      last.until = Math.max(last.until, until);
      last.of.push(gap);
    }
  }
  return all;
}

// bands are the gaps of each host as backgrounds of its lanes, which are as wide as
// width, in pixels.
export function bands(gaps: readonly Gap[], w: Range, width: number): Map<string, string> {
  const layers = new Map<string, string[]>();
  for (const { host, since, until } of gaps) {
    if (host === null) continue;
    const from = Math.max(0, share(w, Date.parse(since))) * width, to = Math.min(1, share(w, Date.parse(until))) * width;
    if (to < 0 || from > width) continue;
    const of = layers.get(host) ?? [];
    layers.set(host, of);
    if (of.length < LAYERS) of.push(`var(--hatched) ${from.toFixed(1)}px 0 / ${Math.max(3, to - from).toFixed(1)}px 100% no-repeat`);
  }
  return new Map([...layers].map(([host, of]) => [host, of.join(", ")]));
}
