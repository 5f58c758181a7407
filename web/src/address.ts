// What is looked at is in the address: a link shows just that, and the browser's
// back and forward go through it.

import type { Edge, Grouping } from "./api";

export type Only = "all" | "running" | "ended" | "failed";

export const SPANS = [60e3, 300e3, 900e3, 3600e3, 6 * 3600e3, 86400e3, 7 * 86400e3]; // ms
const SPAN = 300e3;
export const LIMITS = [20_000, 100_000]; // rows

export interface Place {
  since: number; // ms; NaN follows now
  until: number;
  span: number; // ms before now, where it follows that
  host: string; // a name or a machine-id; empty for all there are
  q: string;
  only: Only;
  by: Grouping;
  edge: Edge;
  focus: string; // keys of processes
  select: string;
  panel: boolean;
  limit: number;
}

export const isLive = (p: Place) => Number.isNaN(p.since);

const one = <T extends string>(text: string | null, ...all: T[]): T => all.find((v) => v === text) ?? all[0];

// read takes what an address says. What makes no sense in it is as if it were not
// there.
export function read(search: string): Place {
  const asked = new URLSearchParams(search);
  let [since, until] = [Date.parse(asked.get("since") ?? ""), Date.parse(asked.get("until") ?? "")];
  if (!(since < until)) [since, until] = [NaN, NaN];
  const last = Number(/^(\d{1,9})s$/.exec(asked.get("last") ?? "")?.[1]);
  return {
    since, until,
    span: last > 0 ? last * 1e3 : SPAN,
    host: (asked.get("host") ?? "").slice(0, 256),
    q: (asked.get("q") ?? "").slice(0, 1024),
    only: one<Only>(asked.get("only"), "all", "running", "ended", "failed"),
    by: one<Grouping>(asked.get("by"), "none", "container", "pod", "unit", "session", "host"),
    edge: one<Edge>(asked.get("edge"), "creator", "parent"),
    focus: asked.get("focus") ?? "",
    select: asked.get("select") ?? "",
    panel: asked.has("select") && asked.get("panel") !== "no",
    limit: LIMITS.find((n) => String(n) === asked.get("limit")) ?? LIMITS[0],
  };
}

// write is what the address of a place asks, without what is as usual.
export function write(p: Place): string {
  const asked: [string, string][] = [];
  const put = (name: string, value: string, usual: string) => {
    if (value !== usual) asked.push([name, value]);
  };
  if (isLive(p)) put("last", `${Math.round(p.span / 1e3)}s`, `${SPAN / 1e3}s`);
  else asked.push(["since", new Date(p.since).toISOString()], ["until", new Date(p.until).toISOString()]);
  put("host", p.host, "");
  put("q", p.q, "");
  put("only", p.only, "all");
  put("by", p.by, "none");
  put("edge", p.edge, "creator");
  put("focus", p.focus, "");
  put("select", p.select, "");
  if (p.select !== "" && !p.panel) asked.push(["panel", "no"]);
  put("limit", String(p.limit), String(LIMITS[0]));
  // An address is read by people: what need not be escaped is not.
  const text = asked.map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%(40|3A|2F|2C)/g, decodeURIComponent)}`).join("&");
  return text === "" ? "" : `?${text}`;
}

// withoutTimes is a question without what it says of the window.
export const withoutTimes = (q: string) => q.replace(/(^|\s)(since|until)[:=]("[^"]*"|\S*)/g, " ").replace(/\s+/g, " ").trim();

export const hasTimes = (q: string) => /(^|\s)(since|until)[:=]/.test(q);

// question is what the daemon is asked for: the words, and the chip.
export function question(p: Place): string {
  const only = { all: "", running: "state:running", ended: "state:ended", failed: "exit!=0" }[p.only];
  return [p.q.trim(), only].filter(Boolean).join(" ");
}
