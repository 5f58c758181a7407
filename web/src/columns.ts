// The rows of an answer, column by column: there may be 100,000 of them, and more
// are added as processes are made.

import type { Answer, Container, Event, Row, TreeAnswer } from "./api";
import { milliseconds } from "./text";

export const FAILED = 1, ENDED = 2, GAP = 4, ADOPTED = 8, SCANNED = 16, END_UNCERTAIN = 32, MATCHED = 64, ZOMBIE = 128, UNSEEN = 256;

const COMMAND = 256; // characters of a command that rows have

// Own is what a key need not name: the daemon's host, or the only one, and its boot.
export interface Own { host: string; boot: string }

// parts are those of a key: an ID, before it the boot where that is not the own one,
// and before both the host where that is not.
export function parts(key: string): { id: string; boot: string; host: string | undefined } {
  const [id, boot = "", host] = key.split("/").reverse();
  return { id, boot, host };
}

// beside is the key of another process of the same boot.
export const beside = (key: string, id: string) => key.slice(0, key.lastIndexOf("/") + 1) + id;

export class Columns {
  count = 0;
  readonly keys: string[] = [];
  readonly places = new Map<string, number>();
  readonly names: string[] = []; // what there is of names, each once of each host
  readonly commands: string[] = [];
  readonly signals = new Map<number, string>();
  pid = new Int32Array(0);
  namespacePID = new Int32Array(0); // 0 where it is not another
  ppid = new Int32Array(0); // -1 where it is not known
  creatorPID = new Int32Array(0);
  up = new Int32Array(0); // the row that it is drawn under, -1 for none
  name = new Int32Array(0); // in names
  flags = new Uint16Array(0);
  began = new Float64Array(0); // ms since 1970, NaN where it is not known
  ended = new Float64Array(0); // Infinity while it lives
  status = new Int32Array(0); // -1 where it is not known
  container = new Int32Array(0); // in containers, -1 for none
  group = new Int32Array(0); // in groups, -1 for none
  host = new Int32Array(0); // in hosts, -1 for that of the answer
  living = new Int32Array(0); // how many of those drawn under it live
  readonly containers: Container[];
  readonly groups: { key: string; name: string; rows: number }[];
  readonly hosts: { id: string; name: string | null }[]; // where the answer is of several
  readonly #namePlaces = new Map<string, number>();
  readonly #containerPlaces = new Map<string, number>();
  readonly #usual: Own; // of what names neither

  constructor(answer: Pick<TreeAnswer, "rows" | "containers" | "groups" | "hosts"> & Partial<Answer> = { rows: [], containers: [], groups: [] }, private readonly own: Own = { host: "", boot: "" }) {
    this.#usual = { host: answer.host || own.host, boot: answer.boot_id || own.boot };
    this.containers = [...answer.containers];
    this.groups = answer.groups;
    this.hosts = answer.hosts ?? [];
    this.containers.forEach((c, i) => this.#containerPlaces.set(containerKey(c), i));
    this.#grow(answer.rows.length);
    for (const row of answer.rows) this.#add(row);
  }

  has(i: number, flag: number): boolean { return (this.flags[i] & flag) !== 0; }
  nameOf(i: number): string { return this.names[this.name[i]]; }

  // hostOf is the host of a row, with what the answer calls it.
  hostOf(i: number): { id: string; name: string | null } { return this.hosts[this.host[i]] ?? { id: this.#usual.host, name: null }; }

  // path returns what the row is drawn under, from the top, and itself.
  path(i: number): number[] {
    const path = [];
    for (let p = i; p >= 0; p = this.up[p]) path.push(p);
    return path.reverse();
  }

  #grow(count: number) {
    const room = this.pid.length;
    if (count <= room) return;
    const next = Math.max(count, room * 2, 256);
    const more = <T extends Int32Array | Uint16Array | Float64Array>(old: T): T => {
      const a = new (old.constructor as new (n: number) => T)(next);
      a.set(old);
      return a;
    };
    for (const c of ["pid", "namespacePID", "ppid", "creatorPID", "up", "name", "status", "container", "group", "host", "living"] as const) this[c] = more(this[c]);
    this.flags = more(this.flags);
    this.began = more(this.began);
    this.ended = more(this.ended);
  }

  #name(name: string, host: number): number {
    const k = `${host} ${name}`;
    let place = this.#namePlaces.get(k);
    if (place === undefined) {
      place = this.names.push(name) - 1;
      this.#namePlaces.set(k, place);
    }
    return place;
  }

  // key names a process for good, also one of another boot or host.
  #key(id: string, boot = this.#usual.boot, host = this.#usual.host): string {
    const { own } = this;
    if (host !== own.host) return `${host}/${boot}/${id}`;
    return boot !== own.boot ? `${boot}/${id}` : id;
  }

  #container(c: Container | null | undefined): number {
    if (!c) return -1;
    const k = containerKey(c);
    let place = this.#containerPlaces.get(k);
    if (place === undefined) {
      place = this.containers.push(c) - 1;
      this.#containerPlaces.set(k, place);
    }
    return place;
  }

  #add(row: Row): number {
    const i = this.count++;
    this.#grow(this.count);
    const host = row.host ?? -1, k = this.#key(row.id, row.boot_id, this.hosts[host]?.id);
    this.keys.push(k);
    this.places.set(k, i);
    this.commands.push(row.command ?? "");
    if (row.signal) this.signals.set(i, row.signal);
    this.pid[i] = row.pid;
    this.namespacePID[i] = row.namespace_pid ?? 0;
    this.ppid[i] = row.ppid ?? -1;
    this.creatorPID[i] = row.creator_pid ?? -1;
    this.up[i] = row.up !== null && row.up < i ? row.up : -1;
    this.host[i] = host;
    this.name[i] = this.#name(row.name, host);
    this.began[i] = row.began_ms ?? NaN;
    this.ended[i] = row.ended_ms ?? Infinity;
    this.status[i] = row.status ?? -1;
    this.container[i] = row.container ?? -1;
    this.group[i] = row.group ?? -1;
    const ended = row.ended_ms !== null || row.state === "ended" || row.state === "zombie";
    this.flags[i] = (row.failed ? FAILED : 0) | (ended ? ENDED : 0) | (row.gap ? GAP : 0) | (row.adopted ? ADOPTED : 0) |
      (row.scanned ? SCANNED : 0) | (row.end_uncertain ? END_UNCERTAIN : 0) | (row.matched ? MATCHED : 0) |
      (row.state === "zombie" ? ZOMBIE : 0) | (row.state === "unseen" ? UNSEEN : 0);
    if (!ended && this.up[i] >= 0) this.living[this.up[i]]++;
    return i;
  }

  // happen takes in an event. It reports false where it cannot tell what follows
  // from it: the rows are then to be asked for again.
  happen(e: Event): boolean {
    if (e.event === "watching") return true;
    if (e.event === "loss" || !e.id || e.pid === undefined) return false;
    const place = (id: string | null | undefined) => (id ? this.places.get(this.#key(id, e.boot_id)) : undefined);
    let i = place(e.id);
    const known = i !== undefined;
    i ??= this.#add(made(e, place));
    if (e.container !== undefined) this.container[i] = this.#container(e.container?.role === "helper" ? null : e.container);
    if (e.event === "exec") {
      if (e.name) this.name[i] = this.#name(e.name, this.host[i]);
      if (e.args) this.commands[i] = command(e.args);
    }
    if (e.event === "exit" || e.event === "gone") {
      this.#end(i, e);
      if (this.living[i] > 0) return false; // they have another parent now
    }
    return known || e.event === "fork";
  }

  #end(i: number, e: Event) {
    const exit = e.exit;
    const end = milliseconds(exit?.time);
    if (!this.has(i, ENDED) && this.up[i] >= 0) this.living[this.up[i]]--;
    this.ended[i] = Number.isNaN(end) ? milliseconds(e.time) : end;
    this.flags[i] |= ENDED;
    if (e.state === "zombie") this.flags[i] |= ZOMBIE;
    if (exit?.evidence !== "observed") this.flags[i] |= END_UNCERTAIN;
    if (exit?.signal) this.signals.set(i, exit.signal);
    if (exit && exit.status !== null) this.status[i] = exit.status;
    if (exit?.signal || (exit?.status ?? 0) !== 0) this.flags[i] |= FAILED;
  }
}

const containerKey = (c: Container) => c.id ?? c.name ?? "";
const command = (args: string[]) => args.join(" ").slice(0, COMMAND);

// made is the row of a process that an event tells of.
function made(e: Event, place: (id: string | null | undefined) => number | undefined): Row {
  const creator = place(e.creator_id), parent = place(e.parent_id);
  const up = creator ?? parent ?? null;
  const row: Row = {
    id: e.id ?? "", pid: e.pid ?? 0, up, gap: creator === undefined,
    ppid: e.ppid ?? null, creator_pid: e.creator_pid ?? null,
    adopted: !!e.creator_id && !!e.parent_id && e.creator_id !== e.parent_id,
    name: e.name ?? "?", state: "alive", scanned: e.event === "seen",
    began_ms: e.start ? milliseconds(e.start) : e.event === "fork" ? milliseconds(e.time) : null, ended_ms: null, matched: true,
  };
  if (e.boot_id) row.boot_id = e.boot_id;
  if (e.args) row.command = command(e.args);
  if (e.namespace_pids && e.namespace_pids.length > 1) row.namespace_pid = e.namespace_pids[e.namespace_pids.length - 1];
  return row;
}
