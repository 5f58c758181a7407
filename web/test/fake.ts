// A daemon that tells what a test wants: it serves the built page and the part of
// the API that the page asks for, about the processes of a world.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { extname } from "node:path";
import type { Answer, Container, Event, Gap, Host, Process, Row } from "../src/api";
import { id, link } from "./world";
import type { Made } from "./world";

const web = new URL("../", import.meta.url);
const policy = readFileSync(new URL("policy.txt", web), "utf8").trim();
const types: Record<string, string> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

class Wrong extends Error {}

class Missing extends Error {}

// own is the host of a daemon that watches.
const own: Host = { id: "4c4c4544004d3510", name: "desk", boot_id: "b0", last: null, behind_seconds: null, own: true };

export class Fake {
  gaps: Gap[] = [];
  note = "";
  source = "bpf"; // of answers
  stream = "bpf"; // and of the events
  cannotTell: string[] = [];
  events = true; // whether there is a stream
  noEvents = 503; // the status where there is none
  history = true; // whether there is one
  hosts: Host[] = [own];
  readOnly = false; // it has a history alone
  down = false; // its store does not answer
  slow: Promise<void> | undefined; // what answers about rows wait for
  refuse = 0; // the status of every answer, where it is not 0
  asked: string[] = []; // of the API
  readonly #began = Date.now();
  readonly #server: Server;
  readonly #streams = new Set<ServerResponse>();
  readonly #sockets = new Set<Socket>();
  readonly #told: Event[] = [];
  #port = 0;
  #tree = { key: "", body: "" };

  constructor(public world: Made[]) {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("connection", (s) => {
      this.#sockets.add(s);
      s.on("close", () => this.#sockets.delete(s));
    });
  }

  get url(): string { return `http://127.0.0.1:${this.#port}/`; }

  get streams(): number { return this.#streams.size; }

  // age is now as the ages of worlds are: ms before the fake began.
  get age(): number { return this.#began - Date.now(); }

  start(): Promise<void> {
    return new Promise((done) => this.#server.listen(this.#port, "127.0.0.1", () => {
      this.#port = (this.#server.address() as AddressInfo).port;
      done();
    }));
  }

  // stop is what a crash of the daemon looks like; start begins on the same port.
  stop(): Promise<void> {
    return new Promise((done) => {
      this.#server.close(() => done());
      for (const s of this.#sockets) s.destroy();
      this.#streams.clear();
    });
  }

  // cut ends the streams, and nothing else.
  cut() {
    for (const s of this.#streams) s.end();
    this.#streams.clear();
  }

  // tell has a process do something. Who was cut off is told later.
  tell(event: Event["event"], p: Made) {
    if (event === "fork") this.world.push(p);
    const cursor = String(this.#told.length + 1), time = new Date().toISOString();
    const e: Event = event === "loss" ? { event, time, cursor } : { ...this.#process(p), event, time, cursor };
    this.#told.push(e);
    for (const s of this.#streams) this.#send(s, e);
  }

  at(age: number): number { return this.#began - age; }

  #send(s: ServerResponse, e: Event) { s.write(`id: ${e.cursor}\nevent: ${e.event}\ndata: ${JSON.stringify(e)}\n\n`); }

  async #serve(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? "/", this.url);
    if (!url.pathname.startsWith("/v1/")) return this.#file(url.pathname, response);
    this.asked.push(url.pathname + url.search);
    try {
      if (this.refuse) return this.#problem(response, this.refuse, "There are too many questions.", "Ask again later.");
      if (url.pathname === "/v1/status") return this.#json(response, JSON.stringify({ ...this.#answer(this.#about("")), read_only: this.readOnly }));
      if (url.pathname === "/v1/tree") await this.slow;
      if (this.down && url.pathname !== "/v1/events") return this.#problem(response, 503, "the history does not answer", "see the log of the daemon");
      const past = ["/v1/counts", "/v1/hosts"].includes(url.pathname) || url.searchParams.has("since");
      if (past && !this.history) return this.#problem(response, 501, "no history is kept here", "start lineage serve with a --store");
      if (url.pathname === "/v1/hosts") return this.#json(response, JSON.stringify({ ...this.#answer(this.#about("")), hosts: this.hosts }));
      if (url.pathname === "/v1/tree") return this.#json(response, this.#treeBody(url.searchParams));
      if (url.pathname === "/v1/counts") return this.#json(response, JSON.stringify(this.#counts(url.searchParams)));
      if (url.pathname === "/v1/events") return this.#stream(request, url.searchParams, response);
      if (url.pathname.startsWith("/v1/processes/")) return this.#one(decodeURIComponent(url.pathname.slice(14)), url.searchParams, response);
      this.#problem(response, 404, "There is no such thing.", "");
    } catch (e) {
      if (e instanceof Missing) return this.#problem(response, 404, e.message, "");
      if (!(e instanceof Wrong)) throw e;
      this.#problem(response, 400, e.message, "The terms are: text, match, pid, name, container, exit, state, since, host, ancestor.");
    }
  }

  #file(name: string, response: ServerResponse) {
    try {
      const at = name === "/" ? "index.html" : name.slice(1);
      const content = readFileSync(new URL(`dist/${at}`, web));
      response.writeHead(200, { "Content-Type": types[extname(at)] ?? "text/plain", "Content-Security-Policy": policy, "Referrer-Policy": "no-referrer" });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  }

  #json(response: ServerResponse, body: string) {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(body);
  }

  #problem(response: ServerResponse, status: number, detail: string, hint: string) {
    response.writeHead(status, { "Content-Type": "application/problem+json" });
    response.end(JSON.stringify({ type: "about:blank", title: "", status, detail, hint }));
  }

  // about is the host that a text means, undefined for all of several.
  #about(text: string): Host | undefined {
    if (text === "") return this.hosts.length === 1 ? this.hosts[0] : undefined;
    const found = [...this.hosts.filter((h) => h.id === text), ...this.hosts.filter((h) => h.name === text)];
    if (found.length === 0) throw new Missing(`the history has nothing of a host "${text}"`);
    return found[0];
  }

  #hostOf(p: Made): Host { return this.hosts.find((h) => h.id === p.host) ?? this.hosts[0]; }

  #boot(p: Made): string { return p.boot ?? this.#hostOf(p).boot_id; }

  #answer(of: Host | undefined): Answer & { schema: string; boot_time: string | null } {
    return {
      schema: "lineage/v1", source: { name: this.source, cannot_tell: this.cannotTell }, complete: this.note === "", ...(this.note ? { note: this.note } : {}),
      as_of: new Date().toISOString(), boot_time: of ? "1000000.000000000" : null, host: of?.id ?? null, boot_id: of?.boot_id ?? null, gaps: this.gaps,
    };
  }

  #stream(request: IncomingMessage, asked: URLSearchParams, response: ServerResponse) {
    if (this.readOnly) return this.#problem(response, 501, "nothing is watched here: it answers from a store alone", "ask the daemon of the host");
    if (!this.events) return this.#problem(response, this.noEvents, "There is no live source.", "");
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const from = String(request.headers["last-event-id"] ?? asked.get("last_event_id") ?? "");
    const at = this.#told.length;
    this.#send(response, { event: "watching", time: new Date().toISOString(), cursor: String(at), source: { name: this.stream, cannot_tell: [] } });
    if (from !== "") for (const e of this.#told.slice(Number(from))) this.#send(response, e);
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
  }

  // treeBody keeps the last answer: of 100,000 rows it takes long to write.
  #treeBody(asked: URLSearchParams): string {
    const key = `${asked} ${this.#told.length} ${this.world.length}`;
    if (this.world.length < 10_000 || key !== this.#tree.key) this.#tree = { key, body: JSON.stringify(this.#rows(asked)) };
    return this.#tree.body;
  }

  #rows(asked: URLSearchParams) {
    const q = parse(asked.get("q") ?? ""), of = this.#about(asked.get("host") || q.host);
    const until = asked.has("until") ? Date.parse(asked.get("until")!) : Date.now();
    const since = q.since ?? before(asked.get("since"));
    const edge = asked.get("edge") ?? "creator", by = asked.get("by") ?? "none", limit = Number(asked.get("limit") ?? 20_000);
    const up = (p: Made) => (edge === "parent" ? p.parent ?? p.under : p.under);
    const keep = new Map<Made, boolean>();
    let left = limit;
    for (const p of this.world.toReversed()) {
      if (this.at(p.began) > until || p.ended !== undefined && this.at(p.ended) < since) continue;
      if (of && this.#hostOf(p) !== of || !q.holds(p)) continue;
      if (left-- <= 0) break;
      keep.set(p, true);
      for (let a = up(p); a && !keep.has(a); a = up(a)) keep.set(a, false);
    }
    const places = new Map<Made, number>(), containers: Container[] = [], groups = new Map<string, { key: string; name: string; rows: number }>();
    const rows: Row[] = [], hosts: Host[] = [];
    for (const p of this.world) {
      if (!keep.has(p)) continue;
      places.set(p, rows.length);
      const failed = p.signal !== undefined || (p.status ?? 0) !== 0, above = up(p);
      const row: Row = {
        id: id(p), pid: p.pid, up: above ? places.get(above) ?? null : null, ppid: (p.parent ?? p.under)?.pid ?? 0, creator_pid: p.gap ? null : p.under?.pid ?? 0,
        name: p.name, state: p.zombie ? "zombie" : p.ended === undefined ? "alive" : "ended", began_ms: this.at(p.began), ended_ms: p.ended === undefined ? null : this.at(p.ended), matched: keep.get(p)!,
      };
      if (p.gap && edge === "creator") row.gap = true;
      if (p.parent && p.parent !== p.under) row.adopted = true;
      if (p.args) row.command = p.args.join(" ").slice(0, 256);
      if (p.scanned) row.scanned = true;
      if (p.status !== undefined) row.status = p.status;
      if (p.signal !== undefined) row.signal = p.signal;
      if (failed) row.failed = true;
      if (p.own) row.namespace_pid = p.own;
      if (p.container) {
        let at = containers.indexOf(p.container);
        if (at < 0) at = containers.push(p.container) - 1;
        row.container = at;
      }
      const group = { none: undefined, container: p.container?.name, pod: p.container?.pod_name, unit: p.unit, session: p.session, host: this.#hostOf(p).id }[by];
      if (group) {
        if (!groups.has(group)) groups.set(group, { key: group, name: by === "host" ? this.#hostOf(p).name ?? group : group, rows: 0 });
        if (row.matched) groups.get(group)!.rows++;
        row.group = [...groups.keys()].indexOf(group);
      }
      if (this.#boot(p) !== of?.boot_id) row.boot_id = this.#boot(p);
      if (!of) {
        const at = hosts.indexOf(this.#hostOf(p));
        row.host = at < 0 ? hosts.push(this.#hostOf(p)) - 1 : at;
      }
      rows.push(row);
    }
    return { ...this.#answer(of), since: new Date(since).toISOString(), until: new Date(until).toISOString(), rows, containers, hosts: hosts.map(({ id, name }) => ({ id, name })), groups: [...groups.values()], cut: left < 0 };
  }

  #counts(asked: URLSearchParams) {
    const since = before(asked.get("since")), until = asked.has("until") ? Date.parse(asked.get("until")!) : Date.now(), n = Number(asked.get("buckets") ?? 120);
    const length = (until - since) / n;
    const buckets = Array.from({ length: n }, (_, k) => ({ time: new Date(since + k * length).toISOString(), lived: 0, started: 0, ended: 0, failed: 0 }));
    const of = this.#about(asked.get("host") ?? "");
    for (const p of this.world) {
      if (of && this.#hostOf(p) !== of) continue;
      const a = this.at(p.began), b = p.ended === undefined ? until : this.at(p.ended);
      for (let k = Math.max(0, Math.floor((a - since) / length)); k < n && since + k * length <= b; k++) buckets[k].lived++;
      const end = Math.floor((b - since) / length);
      if (p.ended !== undefined && end >= 0 && end < n && (p.signal || p.status)) buckets[end].failed++;
    }
    return { ...this.#answer(of), since: new Date(since).toISOString(), until: new Date(until).toISOString(), bucket_seconds: length / 1e3, estimated: false, buckets };
  }

  #one(name: string, asked: URLSearchParams, response: ServerResponse) {
    const of = this.#about(asked.get("host") || (this.hosts.find((h) => h.own)?.id ?? ""));
    if (!of) throw new Wrong("which host is meant is not said");
    const boot = asked.get("boot") || of.boot_id, p = this.world.find((p) => id(p) === name && this.#hostOf(p) === of && this.#boot(p) === boot);
    if (!p) return this.#problem(response, 404, `No process ${name} is known.`, "It may be beyond the retention.");
    this.#json(response, JSON.stringify({ ...this.#answer(of), process: { ...this.#process(p), ...(boot === of.boot_id ? {} : { boot_id: boot }) } }));
  }

  #process(p: Made): Process {
    const path = (up: (p: Made) => Made | undefined) => {
      const links = [];
      for (let a: Made | undefined = p, below: Made | undefined; a; below = a, a = up(a)) links.unshift(link(a, below?.gap));
      return links;
    };
    const parent = p.parent ?? p.under, kept = p.scanned ? "scanned" : "observed";
    const process: Process = {
      pid: p.pid, id: id(p), ppid: parent?.pid ?? 0, parent_id: parent ? id(parent) : null, parent_evidence: kept,
      creator_pid: p.gap ? null : p.under?.pid ?? 0, creator_id: p.gap || !p.under ? null : id(p.under), creator_evidence: p.gap ? "unknown" : p.scanned ? "inferred" : "observed",
      name: p.name, state: p.zombie ? "zombie" : p.ended === undefined ? "alive" : "ended", kernel: p.kernel ?? false, evidence: kept,
      start: new Date(this.at(p.began)).toISOString(), start_precision: p.scanned ? "tick" : "ns", uid: p.user === "root" ? 0 : 1000, user: p.user ?? "1000", ruid: p.user === "root" ? 0 : 1000,
      exe: p.kernel ? null : `/usr/bin/${p.name}`, args: p.args ?? null, pgid: p.pid, sid: p.pid, tty: p.session ? "pts/0" : null,
      namespace_pids: p.own ? [p.pid, p.own] : [p.pid], container_group: p.unit ? `/system.slice/${p.unit}` : null, container: p.container ?? null,
      unit: p.unit ?? null, user_unit: null, login_session: p.session ?? null,
      chain: path((p) => p.under), chain_complete: !p.gap, parents: path((p) => p.parent ?? p.under), parents_complete: true,
    };
    if (p.args?.includes("[redacted]")) process.redacted = true;
    if (p.args) {
      process.execs = [
        { time: p.scanned ? null : new Date(this.at(p.began) + 3).toISOString(), file: "/bin/sh", args: ["sh", "-c", `exec ${p.name}`] },
        { time: new Date(this.at(p.began) + 12).toISOString(), file: `/usr/bin/${p.name}`, args: p.args },
      ];
      process.exec_count = 2;
    }
    if (p.ended !== undefined) {
      process.exit = {
        evidence: "observed", time: new Date(this.at(p.ended)).toISOString(), status: p.signal ? null : p.status ?? 0, signal: p.signal ?? null, lived_seconds: (p.began - p.ended) / 1e3,
        user_seconds: 0.31, system_seconds: 0.042, max_rss_bytes: 18_432_000, read_bytes: 40960, written_bytes: 0,
      };
    }
    return process;
  }
}

function before(text: string | null): number {
  const ago = /^(\d+)(s|m|h)$/.exec(text ?? "");
  if (ago) return Date.now() - Number(ago[1]) * { s: 1e3, m: 60e3, h: 3600e3 }[ago[2] as "s" | "m" | "h"];
  return text ? Date.parse(text) : Date.now();
}

// parse knows enough of the grammar of questions for the tests.
function parse(text: string): { since?: number; host: string; holds: (p: Made) => boolean } {
  const terms: ((p: Made) => boolean)[] = [];
  let since: number | undefined, host = "";
  if ((text.match(/"/g) ?? []).length % 2) throw new Wrong("a quote has no end");
  for (const word of text.match(/(?:[^\s"]|"[^"]*")+/g) ?? []) {
    const term = /^([a-z]+)(!=|:|=)(.*)$/.exec(word);
    if (!term) {
      const wanted = word.replaceAll("\"", "").toLowerCase();
      terms.push((p) => `${p.name} ${p.args?.join(" ") ?? ""}`.toLowerCase().includes(wanted));
      continue;
    }
    const [, field, op, value] = term, not = op === "!=";
    const has = (f: (p: Made) => boolean) => terms.push((p) => f(p) !== not);
    switch (field) {
      case "pid": has((p) => p.pid === Number(value) || p.own === Number(value)); break;
      case "name": has((p) => p.name === value); break;
      case "container": has((p) => p.container?.name === value); break;
      case "state": has((p) => (p.ended !== undefined) === (value === "ended")); break;
      case "host": host = value; break;
      case "ancestor": has((p) => {
        let a = p.under;
        while (a && a.name !== value) a = a.under;
        return a !== undefined;
      }); break;
      case "since": since = before(value); break;
      case "exit": terms.push((p) => p.ended !== undefined && ((p.signal ? false : p.status === Number(value)) !== not)); break;
      default: throw new Wrong(`there is nothing called "${field}" to ask for`);
    }
  }
  return { ...(since === undefined ? {} : { since }), host, holds: (p) => terms.every((t) => t(p)) };
}
