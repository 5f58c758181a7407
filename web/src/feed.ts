// What the page has from the daemon: the rows of its place, kept in step with what
// happens, and the counts over time.

import { ask, path, Problem } from "./api";
import type { Answer, CountsAnswer, Event, Gap, Grouping, HostsAnswer, Status, TreeAnswer } from "./api";
import { hasTimes, isLive, question } from "./address";
import type { Place } from "./address";
import { Columns } from "./columns";
import { Hosts } from "./hosts";
import { Stream } from "./stream";
import type { Connection } from "./stream";
import { number, plural } from "./text";

const POLL = 3e3; // ms between questions where there are no events
const RENEW = 30e3; // ms between questions where there are
const PIXELS = 300; // that a window has at least: less than one of them is not worth a question
const SLOWEST = 60e3; // ms between questions of a history, however long the window
const CALM = 60e3; // ms between questions at most, where the daemon says that it cannot answer
const HOSTS = 60e3; // ms for which what is known of the hosts holds
const SOON = 1500; // ms until they are asked for again, where the history was behind
const BUCKETS = 300;

export class Feed {
  columns = new Columns();
  answer: (Answer & Pick<TreeAnswer, "since" | "until" | "cut">) | undefined;
  question = ""; // that the rows answer
  hosts = new Hosts();
  counts: CountsAnswer | undefined;
  problem: Problem | undefined; // why there is no newer answer
  uncounted: Problem | undefined; // why there are no counts
  forgets: Problem | undefined; // why there is no history: what runs is all there is
  source = ""; // that the events are from, empty where there are none
  connection: Connection = "off";
  isReadOnly = false; // nothing is watched: no host is the daemon's own
  isOther = false; // the rows answer another question than that of the place
  loading = false;
  awaited = true; // there is no answer yet about the place that is shown
  version = 0; // of the rows
  #place: Place | undefined;
  #asked = ""; // what the rows are of
  #failures = 0; // one after the other
  #isSilent = false; // there are no events
  #asking: AbortController | undefined;
  #counting: AbortController | undefined;
  #during: Event[] = []; // what happens while the rows are asked for
  #timer = 0;
  #due = Infinity;
  #cost = 0; // ms that the last answer took
  #watched = 0; // when the events began, by the daemon's clock
  #tries = 0;
  #stands = 0;
  #behind = 0; // ms that the browser's clock is behind the daemon's
  #hostsAt = -Infinity; // when the hosts were asked for
  readonly #stream: Stream;

  constructor(private readonly changed: () => void) {
    this.#stream = new Stream((events) => this.#take(events), (to) => this.#turn(to));
  }

  // now is the instant by the daemon's clock, in ms since 1970. It stands still while
  // nothing is known of what happens.
  get now(): number { return this.#stands || Date.now() + this.#behind; }

  // isCurrent reports whether the rows are as they are now, by the events.
  get isCurrent(): boolean { return this.connection === "live" && this.question === "" && !this.problem; }

  // isOfMany reports whether the rows are of all hosts, of which there are several.
  get isOfMany(): boolean { return this.columns.hosts.length > 0; }

  // hostOf is what the host of a row is called, empty where all rows are of one.
  hostOf(i: number): string {
    const { id, name } = this.columns.hostOf(i);
    return this.isOfMany ? this.hosts.name(id, name) : "";
  }

  // heard is until when it is known of a row whether it runs, in ms; Infinity for now.
  heard(i: number): number { return this.hosts.heard(this.columns.hostOf(i).id); }

  // group is what a group is called, and what tells it from another of that name.
  group(g: number, by: Grouping): [name: string, id: string] {
    const { key, name } = this.columns.groups[g];
    const host = by === "host" ? this.hosts.called(key) : undefined;
    if (host) return this.hosts.words(host);
    return [by === "host" ? this.hosts.name(key, name) : name || key, ""];
  }

  // on says on which hosts gaps are, empty where what is shown is of one.
  on(gaps: readonly Gap[]): string {
    const { columns, hosts } = this, total = Math.max(hosts.list.length, columns.hosts.length), of = new Set(gaps.map((g) => g.host));
    if (of.size === 0 || total < 2 || this.answer?.host || of.has(null)) return "";
    if (of.size > 1) return `on ${number(of.size)} of ${plural(total, "host")}`;
    const [id] = of;
    return `on ${hosts.name(id!, columns.hosts.find((h) => h.id === id)?.name)}`;
  }

  // isLost reports whether the daemon does not answer.
  get isLost(): boolean { return this.problem?.status === 0; }

  // show asks for the rows of a place. In one that follows now the events come
  // first, so that nothing is missed in between, and before them which hosts there
  // are, and so whether there are events.
  async show(place: Place) {
    this.#place = { ...place };
    this.#asking?.abort();
    this.loading = false;
    this.awaited = true;
    this.isOther = this.answer !== undefined && this.#asked !== asks(place);
    this.#failures = 0;
    if (this.#hostsAt === -Infinity) await this.askHosts();
    const now = this.#place; // another one was shown meanwhile, or none any more
    if (!now) return;
    this.#listen(now);
    if (!isLive(now) || this.connection !== "connecting") return void this.load();
    this.#plan(1000); // unless the stream is there sooner, or fails
  }

  // listen has the stream open where there are events of a place, and closed elsewhere.
  #listen(place: Place) {
    if (isLive(place) && this.#streams(place)) {
      if (!this.#stream.isOpen) this.#stream.open();
      return;
    }
    this.#stream.close();
    this.#stream.forget();
    this.connection = !isLive(place) ? "off" : this.#isSilent && !this.isReadOnly ? "polling" : "none";
  }

  // rest asks for nothing more until a place is shown again. A browser has few
  // connections to a daemon, and pages that nobody sees shall leave them to others.
  rest() {
    this.#place = undefined;
    this.#asking?.abort();
    this.#stream.close();
    clearTimeout(this.#timer);
    this.#due = Infinity;
  }

  // load asks for the rows now.
  async load() {
    const place = this.#place;
    if (!place) return;
    this.#asking?.abort();
    clearTimeout(this.#timer);
    const asking = (this.#asking = new AbortController());
    this.#during = [];
    this.#due = Infinity;
    this.loading = true;
    this.changed();
    const began = performance.now();
    let soon = Infinity;
    try {
      const wasLost = this.isLost;
      if (wasLost) [this.#hostsAt, this.#isSilent] = [-Infinity, false]; // another daemon may be there now
      const q = question(place), asked = this.#ask(place, q, asking.signal);
      const [answer] = await Promise.all([asked, this.#hostsAt === -Infinity || this.isReadOnly || this.hosts.list.length > 1 ? this.askHosts() : undefined]);
      const { rows, ...rest } = answer;
      this.columns = new Columns(answer, this.hosts.own(answer));
      this.answer = rest;
      this.question = q;
      this.problem = undefined;
      [this.#asked, this.isOther, this.#failures] = [asks(place), false, 0];
      this.#stands = 0;
      if (isLive(place) && !hasTimes(q)) this.#behind = Date.parse(answer.until) - Date.now();
      this.#cost = performance.now() - began;
      this.#apply(this.#during.splice(0));
      // The history may not have what happened right before the events began.
      if (isLive(place) && Date.parse(answer.as_of) < this.#watched && --this.#tries >= 0) soon = SOON;
      this.version++;
      if (wasLost) this.#listen(place);
    } catch (e) {
      if (asking.signal.aborted) return;
      if (!(e instanceof Problem)) throw e;
      this.problem = e;
      this.#failures++;
      if (this.isLost) this.#stands ||= this.now;
      // Rows stay while what is typed is wrong: it may not be all yet.
      if (this.isOther && e.status !== 400) [this.columns, this.answer, this.question, this.isOther] = [new Columns(), undefined, "", false];
    }
    this.loading = this.awaited = false;
    const poll = Math.max(POLL, 10 * this.#cost, this.connection === "none" ? Math.min(place.span / PIXELS, SLOWEST) : 0);
    if (this.asksAgain) this.#plan(this.#patience());
    else if (isLive(place)) this.#plan(this.problem ? POLL : this.connection === "live" ? Math.min(soon, RENEW) : poll);
    this.changed();
  }

  // asksAgain reports whether the daemon may answer when it is asked again.
  get asksAgain(): boolean { return this.isLost || this.isUnable || (this.problem?.retryAfter ?? 0) > 0; }

  // isUnable reports whether the daemon answers that it cannot.
  get isUnable(): boolean { return (this.problem?.status ?? 0) >= 500 && this.problem?.status !== 501; }

  // patience is after how many ms it is asked again: each time later, of one that
  // answers that it cannot.
  #patience(): number {
    const least = Math.max(POLL, 1e3 * (this.problem?.retryAfter ?? 0));
    return this.isUnable ? Math.max(least, Math.min(CALM, POLL * 2 ** (this.#failures - 1))) : least;
  }

  // ask asks for the rows: of a place that follows now those that run, where there is
  // no history.
  async #ask(place: Place, q: string, signal: AbortSignal): Promise<TreeAnswer> {
    const iso = (ms: number) => new Date(ms).toISOString(), live = isLive(place);
    const rows = (window: { since?: string; until?: string }) => ask<TreeAnswer>(path("v1/tree", { ...window, host: place.host, q, by: place.by, edge: place.edge, limit: place.limit }), signal);
    if (!live) return rows({ since: iso(place.since), until: iso(place.until) });
    try {
      const answer = await rows({ since: `${Math.round(place.span / 1e3)}s` });
      this.forgets = undefined;
      return answer;
    } catch (e) {
      if (!(e instanceof Problem) || e.status !== 501 || hasTimes(q)) throw e;
      this.forgets = e;
      return rows({});
    }
  }

  // askHosts asks which hosts there are, unless that was done just now.
  async askHosts() {
    if (performance.now() - this.#hostsAt < HOSTS) return;
    this.#hostsAt = performance.now();
    try {
      const { hosts } = await ask<HostsAnswer>(path("v1/hosts"));
      this.hosts = new Hosts(hosts);
      this.isReadOnly = !hosts.some((h) => h.own);
    } catch (e) {
      if (!(e instanceof Problem)) throw e;
      // One that has no hosts to tell of will not have them soon.
      if (e.status === 404 || e.status === 501) return;
      this.#hostsAt = -Infinity;
      if (e.status === 0 || this.isReadOnly || !await this.#watchesNothing()) return;
    }
    if (this.#place) this.#listen(this.#place);
    this.changed();
  }

  // watchesNothing asks whether that is so, also where the store does not answer.
  async #watchesNothing(): Promise<boolean> {
    try {
      this.isReadOnly = (await ask<Status>(path("v1/status"))).read_only;
    } catch (e) {
      if (!(e instanceof Problem)) throw e;
    }
    return this.isReadOnly;
  }

  // streams reports whether there are events of a place that follows now.
  #streams(place: Place): boolean { return !this.isReadOnly && !this.#isSilent && (place.host === "" || this.hosts.called(place.host)?.own === true); }

  // count asks for the counts of a time.
  async count(since: number, until: number, host: string) {
    this.#counting?.abort();
    const counting = (this.#counting = new AbortController());
    try {
      const times = { since: new Date(since).toISOString(), until: new Date(until).toISOString() };
      this.counts = await ask<CountsAnswer>(path("v1/counts", { ...times, host, buckets: BUCKETS }), counting.signal);
      this.uncounted = undefined;
    } catch (e) {
      if (!(e instanceof Problem)) return; // another is under way
      this.counts = undefined;
      this.uncounted = e;
    }
    this.changed();
  }

  // plan asks for the rows after a time, unless that is to be sooner already.
  #plan(after: number) {
    const due = performance.now() + after;
    if (due >= this.#due) return;
    this.#due = due;
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.load(), after);
  }

  #turn(to: Connection | "refused") {
    if (to === "refused") return void this.#silence();
    const was = this.connection;
    if (to !== "live") this.source = "";
    if (to === "live") this.#tries = 3;
    this.connection = to;
    // The stream is there, or is not to be: with what was missed, or without events.
    if (to !== "connecting" && was === "connecting" && !this.loading) this.load();
    else if (to === "polling" || to === "busy") this.#plan(POLL);
    this.changed();
  }

  // silence is that there are no events: for good, unless the daemon is another one.
  async #silence() {
    this.#isSilent = true;
    if (!this.isReadOnly) await this.#watchesNothing();
    if (this.#place) this.#listen(this.#place);
    this.changed();
  }

  #take(events: Event[]) {
    if (events.length === 0) return;
    for (const e of events) if (e.event === "watching") [this.source, this.#watched] = [e.source?.name ?? "", Date.parse(e.time)];
    if (this.loading) {
      this.#during.push(...events);
      return;
    }
    this.#apply(events);
    this.version++;
    this.changed();
  }

  // apply takes in what happened. Where only the daemon can tell what follows from
  // it, the rows are asked for again soon: the sooner the less that costs.
  #apply(events: Event[]) {
    let told = true;
    if (this.question === "") for (const e of events) told = this.columns.happen(e) && told;
    else told = events.every((e) => e.event === "watching");
    if (this.#place?.by !== "none" && events.some((e) => e.event === "fork" || e.event === "move")) told = false;
    if (this.columns.count > 2 * (this.#place?.limit ?? 0)) told = false;
    if (!told) this.#plan(Math.max(500, 10 * this.#cost));
  }
}

// asks is what the rows of a place answer.
const asks = (p: Place) => [p.host, question(p), p.by, p.edge, isLive(p) ? p.span : `${p.since} ${p.until}`].join("\n");
