// A part of time, in ms since 1970, and how it is drawn.

import { scaleTime } from "d3-scale";
import { timeFormat } from "d3-time-format";

export interface Range { from: number; to: number }

const LEAST = 1; // ms

export const share = (r: Range, at: number) => (at - r.from) / (r.to - r.from);

// zoom makes it by times as long; what lies at the share stays there.
export function zoom(r: Range, by: number, at = 0.5): Range {
  const span = Math.max(LEAST, (r.to - r.from) * by), fixed = r.from + at * (r.to - r.from);
  return { from: fixed - at * span, to: fixed + (1 - at) * span };
}

// pan moves it by a share of itself, not beyond the end.
export function pan(r: Range, by: number, end: number): Range {
  const d = Math.min(by * (r.to - r.from), Math.max(0, end - r.to));
  return { from: r.from + d, to: r.to + d };
}

const formats = {
  millisecond: timeFormat("%H:%M:%S.%L"), second: timeFormat("%H:%M:%S"), minute: timeFormat("%H:%M"), day: timeFormat("%b %-d"),
};

// ticks are round times of it with what to write at them.
export function ticks(r: Range, count: number): { at: number; text: string }[] {
  const scale = scaleTime().domain([r.from, r.to]);
  return scale.ticks(Math.max(1, count)).map((d) => {
    const midnight = d.getHours() === 0 && d.getMinutes() === 0 && d.getSeconds() === 0 && d.getMilliseconds() === 0;
    const by = midnight ? "day" : d.getMilliseconds() !== 0 ? "millisecond" : d.getSeconds() !== 0 || r.to - r.from < 120e3 ? "second" : "minute";
    return { at: d.getTime(), text: formats[by](d) };
  });
}

// runs are the parts of a range, in shares of it, that some times cover. What lies
// closer together than a share of least is one.
export function runs(r: Range, times: Iterable<readonly [number, number]>, least: number): [number, number][] {
  const parts = new Uint8Array(Math.ceil(1 / least) + 1);
  for (const [begin, end] of times) {
    const a = Math.max(0, share(r, begin)), b = Math.min(1, share(r, end));
    if (b < 0 || a > 1) continue;
    parts.fill(1, Math.floor(a / least), Math.floor(b / least) + 1);
  }
  const found: [number, number][] = [];
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] === 0) continue;
    const begin = i;
    while (i < parts.length && parts[i] === 1) i++;
    found.push([begin * least, Math.min(1, i * least)]);
  }
  return found;
}
