// The page: what is looked at, and what can be done.

import { render } from "lit";
import { ask, path, Problem } from "./api";
import type { ProcessAnswer } from "./api";
import { hasTimes, isLive, question, read, withoutTimes, write } from "./address";
import type { Place } from "./address";
import { drawAxis } from "./axis";
import { Branches } from "./branches";
import { empty, header, help, notices, trail } from "./chrome";
import { Feed } from "./feed";
import { bands } from "./gaps";
import { HostBox } from "./hostbox";
import { FAILED, parts } from "./columns";
import { List } from "./list";
import { Minimap } from "./minimap";
import type { Range } from "./range";
import { pan, zoom } from "./range";
import { Said } from "./said";
import { PROCESS, Shape } from "./shape";
import { Side } from "./side";
import { shell } from "./text";
import { turnTheme } from "./theme";
import { words } from "./words";

const SETTLE = 250; // ms after the last change of the window until its rows are asked for
const HUES = 360, HOST = 211, APART = 137.5;

export class Page {
  place: Place;
  readonly feed = new Feed(() => this.draw());
  shape: Shape;
  readonly list: List;
  readonly hostBox = new HostBox(this);
  readonly #minimap: Minimap;
  readonly #side: Side;
  readonly #said: Said;
  readonly #parts: Record<string, HTMLElement>;
  #branches = new Branches();
  #everyday = this.#branches; // those without a question
  #drawing = 0;
  #settling = 0;
  #typing = 0;
  #counted = "";
  #countedAt = -Infinity;
  #reveal = true; // what is selected is to be brought into sight
  #mark = ""; // the branch of a selected row of no process, which has no place in the address
  #shaped = ""; // what the shape is of
  #staysUntil = 0;

  constructor(parts: Record<string, HTMLElement>) {
    this.#parts = parts;
    this.place = read(location.search);
    this.shape = new Shape(this.feed.columns, this.#asked());
    this.list = new List(parts["scroll"]);
    this.#minimap = new Minimap(parts["map"] as HTMLCanvasElement, (w, done) => this.show(w, done));
    this.#side = new Side(parts["panel"], this);
    this.#said = new Said(parts["said"]);
    render(header(this), parts["tools"]);
    this.#keep(false);
    addEventListener("popstate", () => this.#arrive());
    this.#arrive();
  }

  // window is the time that is shown.
  get window(): Range {
    const { place, feed } = this, { answer } = feed;
    if (hasTimes(place.q) && answer && feed.question === question(place)) return { from: Date.parse(answer.since), to: Math.max(Date.parse(answer.until), Date.parse(answer.since) + 1) };
    const { now } = feed;
    return isLive(place) ? { from: now - place.span, to: now } : { from: place.since, to: place.until };
  }

  // hit is the number of the selected one among the hits, 0 where it is none.
  get hit(): number { return this.shape.hits.indexOf(this.selected) + 1; }

  // selected is the process that is selected, -1 for none that has a row.
  get selected(): number { return this.feed.columns.places.get(this.place.select) ?? -1; }

  get #search(): HTMLInputElement { return this.#parts["tools"].querySelector<HTMLInputElement>("#search")!; }

  // arrive shows what the address says.
  #arrive() {
    this.place = read(location.search);
    this.#search.value = this.place.q;
    this.#reveal = true;
    this.#questioned();
    this.feed.show(this.place);
    this.draw();
  }

  // keep has the address say what is looked at.
  #keep(step: boolean) {
    const address = location.pathname + write(this.place);
    if (step) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }

  // go changes what is looked at. A step can be gone back.
  go(change: Partial<Place>, step = true) {
    const before = this.place, now = { ...before, ...change };
    this.place = now;
    const asks = this.#settling !== 0 || (["since", "until", "span", "host", "q", "only", "by", "edge", "limit"] as const).some((k) => !Object.is(before[k], now[k]));
    if (question(before) !== question(now)) this.#questioned();
    if (write(before) !== write(now)) this.#keep(step);
    if (asks || before.focus !== now.focus) this.#reveal = true;
    if (asks) {
      clearTimeout(this.#settling);
      this.#settling = 0;
      this.feed.show(now);
    }
    this.draw();
  }

  // questioned has the branches of a question apart from those without: each begins
  // with all paths open.
  #questioned() {
    if (question(this.place) === "") this.#branches = this.#everyday;
    else this.#branches = new Branches();
  }

  // show shows a time. It is asked for when it has settled.
  show(w: Range, step: boolean) {
    const end = this.feed.now;
    const to = Math.min(w.to, end), from = Math.min(w.from, to - 1);
    this.place = { ...this.place, since: Math.round(from), until: Math.round(Math.max(to, from + 1)), q: withoutTimes(this.place.q) };
    if (hasTimes(this.#search.value)) this.#search.value = this.place.q;
    clearTimeout(this.#settling);
    this.#settling = window.setTimeout(() => {
      this.#settling = 0;
      this.#keep(step);
      this.feed.show(this.place);
    }, SETTLE);
    this.draw();
  }

  // follow follows now, from a time before it. What a search says of the window ends.
  follow(span = this.place.span) {
    const q = hasTimes(this.place.q) ? withoutTimes(this.place.q) : this.place.q;
    if (q !== this.place.q) this.#search.value = q;
    this.go({ since: NaN, until: NaN, span, q });
  }

  // choose shows what is of a host, or with an empty name of all.
  choose(host: string) { this.go({ host, focus: "" }); }

  widen() {
    if (isLive(this.place) && !hasTimes(this.place.q)) this.go({ span: this.place.span * 12 });
    else this.show(zoom(this.window, 4), true);
  }

  // fit makes the window the time of a process.
  async fit(key: string) {
    const answer = await this.process(key);
    if (!answer) return;
    const { start, exit } = answer.process, now = this.feed.now;
    const from = start ? Date.parse(start) : NaN, to = exit?.time ? Date.parse(exit.time) : now;
    if (Number.isNaN(from)) return this.say("When it began is not known.");
    const edge = Math.max(5, (to - from) * 0.05);
    this.show({ from: from - edge, to: to + edge }, true);
  }

  // process asks for one process, and says so where there is none.
  async process(key: string, signal?: AbortSignal): Promise<ProcessAnswer | undefined> {
    const { id, boot, host = this.feed.isReadOnly ? this.place.host : "" } = parts(key);
    try {
      return await ask<ProcessAnswer>(path(`v1/processes/${encodeURIComponent(id)}`, { boot, host }), signal);
    } catch (e) {
      if (e instanceof Problem && !signal) this.say(e.detail);
      if (e instanceof Problem && signal) throw e;
      return undefined;
    }
  }

  // select selects a process and brings it into sight, opening its path.
  select(key: string, step = false) {
    const i = this.feed.columns.places.get(key) ?? -1;
    this.#mark = "";
    this.go({ select: key }, step);
    if (i < 0) return;
    if (this.shape.focus >= 0 && !this.shape.columns.path(i).includes(this.shape.focus)) this.go({ focus: "" }, false);
    this.shape.reveal(i);
    this.#reveal = true;
    this.#shaped = "";
    this.draw();
  }

  // at is the shown row of what is selected, in a closed branch that of the branch,
  // -1 for none.
  get at(): number {
    if (this.#mark !== "") return this.#marked();
    let i = this.selected;
    while (i >= 0 && this.shape.place[i] < 0) i = this.feed.columns.up[i];
    return i < 0 ? -1 : this.shape.place[i];
  }

  #marked(): number {
    for (let r = 0; r < this.shape.count; r++) if (this.shape.kind[r] !== PROCESS && this.shape.branch(r) === this.#mark) return r;
    return -1;
  }

  // take selects a row, and opens the details where asked to.
  take(row: number, open = false) {
    if (row < 0) return;
    const { kind, ref, columns } = this.shape;
    if (kind[row] === PROCESS) {
      this.#mark = "";
      this.go({ select: columns.keys[ref[row]], panel: open || this.place.panel }, false);
    } else {
      this.#mark = this.shape.branch(row);
      this.draw();
    }
    this.list.reveal(row);
  }

  // move selects the row that is by rows away.
  move(by: number) {
    const n = this.shape.count;
    const from = this.at < 0 && by < 0 ? 0 : this.at; // -1 is before the first
    if (n > 0) this.take(Math.min(n - 1, Math.max(0, from + by)));
  }

  isOpen(row: number): boolean { return this.#branches.isOpen(this.shape.branch(row)); }

  toggle(row: number, open = !this.isOpen(row)) {
    const branch = row < 0 ? "" : this.shape.branch(row);
    if (branch === "") return;
    this.#branches.set(branch, open);
    this.#reshape();
  }

  all(open: boolean) {
    this.#branches.all(open);
    this.#reveal = open;
    this.#reshape();
  }

  #reshape() {
    this.#shaped = "";
    this.draw();
  }

  // up goes from the row to the one that it is below.
  up(row: number) { if (row >= 0) this.take(this.shape.under(row)); }

  // focusUp takes the focus to who is above it.
  focusUp() {
    const { focus, columns } = this.shape;
    if (this.place.focus === "") return;
    const up = focus >= 0 ? columns.up[focus] : -1;
    this.go({ focus: up >= 0 ? columns.keys[up] : "" });
  }

  // typed searches soon, unless more is typed.
  typed() {
    clearTimeout(this.#typing);
    this.#typing = window.setTimeout(() => this.search(this.place.q === ""), 300);
  }

  search(step = true) {
    clearTimeout(this.#typing);
    const q = this.#search.value;
    if (q !== this.place.q) this.go({ q }, step);
  }

  clear() {
    this.#search.value = "";
    this.go({ q: "", only: "all" });
  }

  // step goes to the next hit, or with a negative one to the one before, round the
  // end.
  step(by: number) {
    const { hits, place } = this.shape, n = hits.length;
    if (question(this.place) === "") return this.say("Search first: /");
    if (n === 0) return this.say("Nothing matches.");
    const own = this.hit - 1;
    let next = own >= 0 ? own + by : by > 0 ? hits.findIndex((i) => place[i] > this.at) : hits.findLastIndex((i) => place[i] >= 0 && place[i] < this.at);
    if (own < 0 && next < 0) next = by > 0 ? 0 : n - 1;
    this.select(this.shape.columns.keys[hits[(next + n) % n]]);
  }

  // failure goes to the next one that failed, or to the one before.
  failure(by: number) {
    const c = this.shape.columns, n = c.count, { from } = this.window;
    for (let k = 1, i = Math.max(0, this.selected); k <= n; k++) {
      i = (i + by + n) % n;
      if (!c.has(i, FAILED) || c.ended[i] < from) continue;
      return this.select(c.keys[i]);
    }
    this.say("Nothing failed here.");
  }

  zoom(by: number, at?: number) {
    if (isLive(this.place) && at === undefined) return this.go({ span: Math.max(1e3, Math.round((this.place.span * by) / 1e3) * 1e3) }, false);
    this.show(zoom(this.window, by, at ?? 0.5), false);
  }

  pan(by: number) { this.show(pan(this.window, by, this.feed.now), false); }

  copy(text: string) { void this.#said.copy(text); }

  async copyCommand() {
    const answer = this.place.select ? await this.process(this.place.select) : undefined;
    if (answer?.process.args) this.copy(shell(answer.process.args));
    else if (answer) this.say("Its command line is not known.");
  }

  say(sentence: string) { this.#said.say(sentence); }

  #asked() {
    const { place, feed } = this;
    return { since: this.window.from, grouped: place.by !== "none", focus: place.focus, found: feed.question !== "", branches: this.#branches };
  }

  theme() {
    this.say(`Colours: ${turnTheme()}.`);
    this.draw();
  }

  help() {
    const dialog = this.#parts["help"] as HTMLDialogElement;
    render(help(() => dialog.close()), dialog);
    if (dialog.open) dialog.close();
    else dialog.showModal();
    dialog.scrollTop = 0; // where it is small, the button that has the keys is at its end
  }

  press(key: string): boolean { return this.onPress(key); }
  onPress: (key: string) => boolean = () => false;

  // draw draws all with the next frame, once.
  draw() {
    if (this.#drawing !== 0 || !this.list) return;
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#draw();
    });
  }

  #draw() {
    const { place, feed } = this, parts = this.#parts, w = this.window;
    this.#shapeAgain();
    const reveal = this.#reveal && !feed.awaited && feed.answer !== undefined;
    if (reveal) {
      this.#reveal = false;
      if (this.selected >= 0 && this.#mark === "") {
        this.shape.reveal(this.selected);
        this.shape = new Shape(feed.columns, this.#asked());
      }
    }
    render(header(this), parts["tools"]);
    render(notices(this), parts["notices"]);
    render(trail(this), parts["path"]);
    parts["path"].hidden = this.shape.focus < 0;
    render(empty(this), parts["nothing"]);
    const fleet = feed.isOfMany && place.by !== "host", { list } = parts; // the groups say it
    for (const [name, is] of [["fleet", fleet], ["other", feed.isOther && !feed.awaited]] as const) list.classList.toggle(name, is);
    list.ariaBusy = String(feed.awaited);
    list.style.setProperty("--scrollbar", `${this.list.gutter}px`);
    parts["scroll"].setAttribute("aria-colcount", fleet ? "4" : "3");
    const gaps = feed.answer?.gaps ?? [], width = parts["ticks"].clientWidth, missing = feed.on(gaps) === "" ? undefined : bands(gaps, w, width);
    drawAxis(parts["ticks"], parts["behind"], w, gaps, (of) => feed.on(of));
    this.list.draw({
      shape: this.shape, range: w, now: feed.now, selected: this.at, edge: place.edge, by: place.by, hostOf: (i) => feed.hostOf(i), heard: (i) => feed.heard(i), group: (g) => feed.group(g, place.by), bands: (i, g) => missing?.get(i >= 0 ? feed.columns.hostOf(i).id : feed.columns.groups[g]?.key ?? "") ?? "",
      found: feed.question !== "", words: feed.question !== "" && withoutTimes(place.q) !== "" ? words(place.q) : undefined, isOpen: (row) => this.isOpen(row), hue: (c) => this.#hue(c), width,
    });
    if (reveal) this.list.reveal(this.at);
    this.#drawMap(w);
    this.#side.draw();
    document.documentElement.dataset["rows"] = String(this.shape.count);
  }

  // shapeAgain makes the shape of what has changed. That rows leave the window as
  // time goes on costs at most a twentieth of it.
  #shapeAgain() {
    const { place, feed } = this, began = performance.now();
    const shaped = [feed.version, place.by, place.focus, place.edge, isLive(place)].join("|");
    const old = isLive(place) && began > this.#staysUntil;
    if (!old && shaped === this.#shaped && this.shape.columns === feed.columns) return;
    this.shape = new Shape(feed.columns, this.#asked());
    this.#shaped = shaped;
    const now = performance.now();
    this.#staysUntil = now + Math.max(900, 20 * (now - began));
  }

  #hue(container: number): number { return container < 0 ? HOST : Math.round(35 + ((container * APART + 90) % (HUES - 75))); }

  // drawMap draws the minimap, and asks for its counts now and then.
  #drawMap(w: Range) {
    const map = this.#minimap, { feed } = this, live = isLive(this.place);
    map.around(w, feed.now, live);
    const span = map.range.to - map.range.from;
    const { host } = this.place, asks = `${Math.round(span / 1e3)}|${live ? "" : map.range.to}|${host}`, since = performance.now() - this.#countedAt;
    if (feed.answer && !feed.isUnable && !map.isDragged && (asks !== this.#counted && since > 300 || live && since > Math.max(5e3, span / 300))) {
      this.#counted = asks;
      this.#countedAt = performance.now();
      void feed.count(map.range.from, map.range.to, host);
    }
    map.draw(w, feed.counts, feed.counts?.gaps ?? feed.answer?.gaps ?? [], (gaps) => feed.on(gaps) !== "", feed.uncounted?.detail);
  }
}
