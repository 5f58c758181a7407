// One row of the document: the process at the left, its time at the right. Rows
// are taken for others as the list is scrolled.

import { ADOPTED, Columns, ENDED, END_UNCERTAIN, FAILED, GAP, MATCHED, SCANNED, UNSEEN, ZOMBIE } from "./columns";
import type { Edge } from "./api";
import { clock, duration, ending, number, plural, visible } from "./text";
import type { Range } from "./range";
import { runs, share } from "./range";
import { FOLD, GROUP, UNKNOWN } from "./shape";
import type { Shape } from "./shape";
import { marked } from "./words";
import type { Words } from "./words";

export interface Drawn {
  shape: Shape;
  range: Range;
  now: number;
  selected: number; // a shown row
  edge: Edge;
  by: string;
  hostOf: (i: number) => string; // what its host is called, where there are several
  heard: (i: number) => number; // until when it is known whether it runs
  group: (g: number) => [name: string, id: string]; // what a group is called, and what tells it from another
  bands: (i: number, group: number) => string; // the background of the lane of a process, or else of a group: what is missing on its host
  found: boolean;
  words: Words | undefined; // hits are marked by them; not where they answer a chip alone
  isOpen: (row: number) => boolean;
  hue: (container: number) => number;
  width: number; // pixels of a lane
}

type Part = "edge" | "twisty" | "dot" | "name" | "pid" | "many" | "badge" | "kin" | "where" | "cmd" | "host" | "time" | "lane" | "bar";

const DEEPEST = 28; // levels that are drawn

export class RowElement {
  readonly element = document.createElement("div");
  row = -1;
  readonly #parts: Record<Part, HTMLElement>;

  constructor(holder: HTMLElement, id: number) {
    const make = (parent: HTMLElement, name: string, tag: string, role = "") => {
      const e = document.createElement(tag);
      e.className = name;
      if (role) e.setAttribute("role", role);
      parent.append(e);
      return e;
    };
    this.element.className = "row";
    this.element.id = `row${id}`;
    this.element.setAttribute("role", "row");
    const tree = make(this.element, "tree", "div", "rowheader");
    const span = (name: string) => make(tree, name, "span");
    this.#parts = {
      edge: span("edge"), twisty: span("twisty"), dot: span("dot"), name: span("name"), pid: span("pid"), many: span("many"),
      badge: span("badge"), kin: span("kin"), where: span("where"), cmd: span("cmd"),
      host: make(this.element, "host", "div", "gridcell"), time: make(this.element, "time", "div", "gridcell"), lane: make(this.element, "lane", "div", "gridcell"), bar: document.createElement("div"),
    };
    this.#parts.bar.className = "bar";
    this.#parts.lane.append(this.#parts.bar);
    for (const hidden of ["edge", "twisty", "dot"] as const) this.#parts[hidden].setAttribute("aria-hidden", "true");
    holder.append(this.element);
  }

  hide() {
    this.row = -1;
    this.element.hidden = true;
  }

  draw(d: Drawn, row: number, y: number) {
    const { element, shape, kind } = { element: this.element, shape: d.shape, kind: d.shape.kind[row] };
    this.row = row;
    element.hidden = false;
    element.style.transform = `translateY(${y}px)`;
    const open = shape.branch(row) !== "", isOpen = open && d.isOpen(row);
    element.ariaSelected = String(row === d.selected);
    element.ariaLevel = String(shape.depth[row] + 1);
    element.ariaRowIndex = String(row + 2); // after that of the headings
    if (open) element.ariaExpanded = String(isOpen);
    else element.removeAttribute("aria-expanded");
    element.style.setProperty("--depth", String(Math.min(shape.depth[row], DEEPEST)));
    this.#text("twisty", open ? (isOpen ? "▾" : "▸") : "");
    element.className = `row ${["process", "fold", "unknown", "group"][kind]}${row === d.selected ? " selected" : ""}`;
    element.title = "";
    for (const part of ["pid", "many", "badge", "kin", "where", "cmd", "host"] as const) this.#text(part, "");
    this.#parts.badge.className = "badge";
    this.#parts.pid.title = this.#parts.host.title = "";
    this.#parts.lane.style.background = kind === GROUP ? d.bands(-1, shape.ref[row]) : kind === UNKNOWN ? "" : d.bands(shape.ref[row], -1);
    if (kind === UNKNOWN || kind === GROUP) this.#heading(d, row, kind);
    else this.#process(d, row, shape.columns, shape.ref[row], kind === FOLD, open && !isOpen);
  }

  // heading is a row of no process: of whoever is not known, or of a group.
  #heading({ shape, by, edge, group }: Drawn, row: number, kind: number) {
    const ref = shape.ref[row], c = shape.columns, many = plural(shape.hidden[row], "process", "processes");
    this.#parts.bar.hidden = true;
    this.#text("time", "");
    if (kind === GROUP) {
      const [name, id] = ref < 0 ? [`no ${by}`, ""] : group(ref);
      this.#text("name", visible(name));
      this.#text("pid", id);
      this.element.title = `${visible(name)} ${id}`.trim();
      this.#text("many", many);
      if (shape.failed[row] > 0) this.#bad(`${number(shape.failed[row])} failed`);
      this.#parts.lane.ariaLabel = many;
      return;
    }
    const below = shape.hidden[row] > 1 ? `${number(shape.hidden[row])} below` : "one below";
    this.#text("name", "unknown");
    this.#text("cmd", ref < 0
      ? (edge === "creator" ? `Who made the ${below} is not known.` : `Whose child ${shape.hidden[row] > 1 ? `each of the ${below}` : `the ${below}`} is, is not known.`)
      : `Whether ${visible(c.nameOf(ref))} made the ${below} is not known.`);
    this.element.title = "Between a process and those below this row others may stand that nobody saw.";
    this.#parts.lane.ariaLabel = "not known";
  }

  #process(d: Drawn, row: number, c: Columns, i: number, fold: boolean, closed: boolean) {
    const { shape } = d, { classList } = this.element, flags = c.flags[i];
    this.#text("name", visible(c.nameOf(i)));
    this.#parts.dot.style.setProperty("--hue", String(d.hue(c.container[i])));
    this.#parts.bar.style.setProperty("--hue", String(d.hue(c.container[i])));
    const hit = d.words !== undefined && (flags & MATCHED) !== 0;
    const where = hit && !fold ? marked(d.words!, c.nameOf(i), c.commands[i]) : { name: hit, command: false };
    classList.toggle("hit", hit);
    classList.toggle("by-name", where.name);
    classList.toggle("by-command", where.command);
    classList.toggle("above", d.found && (flags & MATCHED) === 0);
    classList.toggle("gap", (flags & GAP) !== 0);
    this.#text("host", visible(d.hostOf(i)));
    this.#parts.host.title = this.#parts.host.textContent;
    const container = c.containers[c.container[i]];
    if (container && d.by !== "container") this.#text("where", visible(container.name ?? container.id?.slice(0, 12) ?? ""));
    const failed = fold || closed ? shape.failed[row] : 0;
    if (fold) {
      this.#text("many", `×${number(shape.hidden[row])}`);
      this.element.title = "Processes of one name that made no others. Open them with e.";
      if (failed > 0) this.#bad(`${number(failed)} failed`);
      this.#lane(d, row, c, i, true);
      return;
    }
    this.#text("pid", c.namespacePID[i] > 0 ? `${c.pid[i]} (${c.namespacePID[i]})` : String(c.pid[i]));
    this.#parts.pid.title = c.namespacePID[i] > 0 ? `PID ${c.pid[i]}, and ${c.namespacePID[i]} in its own PID namespace` : "";
    this.#text("cmd", visible(c.commands[i]));
    if (closed) this.#text("many", `+${number(shape.hidden[row])}`);
    classList.toggle("failed", (flags & FAILED) !== 0);
    if (flags & FAILED) this.#bad(ending(c.status[i] < 0 ? null : c.status[i], c.signals.get(i)) || "failed");
    else if (failed > 0) this.#bad(`${number(failed)} failed`);
    else if (flags & ZOMBIE) this.#text("badge", "zombie");
    else if (flags & UNSEEN) this.#text("badge", "not seen");
    classList.toggle("adopted", (flags & ADOPTED) !== 0);
    if (flags & ADOPTED) {
      const kin = d.edge === "parent" ? c.creatorPID[i] : c.ppid[i];
      if (kin >= 0) this.#text("kin", d.edge === "parent" ? `made by ${kin}` : `now under ${kin}`);
      this.element.title = "Whoever made it ended first: it was given another parent.";
    }
    this.#lane(d, row, c, i, false);
  }

  // lane draws the time: of a fold that of each it stands for.
  #lane(d: Drawn, row: number, c: Columns, i: number, fold: boolean) {
    const { bar, lane } = this.#parts, { range } = d, heard = d.heard(i), now = Math.min(d.now, heard);
    const members = fold ? d.shape.members(row) : [i];
    let begin = Infinity, end = -Infinity, living = false;
    for (const m of members) {
      living ||= !c.has(m, ENDED);
      begin = Math.min(begin, Number.isNaN(c.began[m]) ? -Infinity : c.began[m]);
      end = Math.max(end, Math.min(c.ended[m], now));
    }
    const a = Math.max(-0.01, share(range, begin)), b = Math.min(1.01, share(range, Math.max(begin, end)));
    bar.hidden = b < 0 || a > 1;
    if (!bar.hidden) {
      bar.style.left = `${a * 100}%`;
      bar.style.width = `${(b - a) * 100}%`;
    }
    const flags = c.flags[i], { classList } = bar;
    classList.toggle("unsure", !fold && (flags & SCANNED) !== 0 && begin >= range.from);
    classList.toggle("unknown", !fold && begin === -Infinity);
    const isUnheard = living && heard < d.now;
    classList.toggle("loose", !fold && (flags & END_UNCERTAIN) !== 0 || isUnheard);
    classList.toggle("open", !fold && living && !isUnheard);
    this.element.classList.toggle("ended", !living);
    bar.style.backgroundImage = "";
    classList.toggle("runs", fold);
    if (fold && !bar.hidden && members.length < 1e5) this.#runs(d, now, c, members, a, b);
    const lived = end - begin, known = Number.isFinite(lived);
    const time = fold ? "" : known ? `${isUnheard ? "≥ " : flags & END_UNCERTAIN ? "≤ " : ""}${duration(lived)}` : "?";
    this.#text("time", time);
    lane.ariaLabel = (known ? `from ${clock(begin, 1)}` : "begin not known") + (isUnheard ? `, ran at ${clock(heard)}, when its host was heard of last` : living ? ", still runs" : `, until ${clock(end, 1)}`);
  }

  // runs shows within the bar of a fold when any of its processes ran.
  #runs(d: Drawn, now: number, c: Columns, members: number[], a: number, b: number) {
    const within = { from: d.range.from + a * (d.range.to - d.range.from), to: d.range.from + b * (d.range.to - d.range.from) };
    const pixels = Math.max(1, (b - a) * d.width);
    const parts = runs(within, members.map((m) => [Number.isNaN(c.began[m]) ? -Infinity : c.began[m], Math.min(c.ended[m], now)] as const), Math.max(2 / pixels, 1 / 300));
    const stops = parts.flatMap(([x, y]) => [`transparent ${(x * 100).toFixed(2)}%`, `var(--run) ${(x * 100).toFixed(2)}% ${(y * 100).toFixed(2)}%`, `transparent ${(y * 100).toFixed(2)}%`]);
    this.#parts.bar.style.backgroundImage = `linear-gradient(90deg, ${stops.join(", ")})`;
  }

  #bad(text: string) {
    this.#text("badge", text);
    this.#parts.badge.className = "badge bad";
  }

  #text(part: Part, text: string) {
    const e = this.#parts[part];
    if (e.textContent !== text) e.textContent = text;
  }
}
