// The hosts that the history knows, and how they are called.

import type { Answer, Host } from "./api";
import type { Own } from "./columns";
import { byName, milliseconds } from "./text";

const LEAST = 4; // characters of a machine-id that name a host
const QUIET = 60; // seconds: something happens on each host within that time
const SHORT = 12; // characters of a machine-id that are shown

export class Hosts {
  readonly list: readonly Host[]; // by name, those without one last
  readonly #byID = new Map<string, Host>();
  readonly #named = new Map<string, number>(); // how many have a name

  constructor(hosts: readonly Host[] = []) {
    for (const h of hosts) {
      this.#byID.set(h.id, h);
      if (h.name) this.#named.set(h.name, (this.#named.get(h.name) ?? 0) + 1);
    }
    this.list = hosts.toSorted((a, b) => Number(!a.name) - Number(!b.name) || byName(nameOf(a), nameOf(b)));
  }

  // called finds what an address names: a machine-id or the beginning of one, or a name.
  called(name: string): Host | undefined {
    return this.#byID.get(name) ?? this.list.find((h) => h.name === name) ?? (name.length >= LEAST ? this.list.find((h) => h.id.startsWith(name)) : undefined);
  }

  // own is the host that keys of an answer need not name.
  own({ host, boot_id }: Answer): Own {
    if (this.list.length === 0) return { host: host ?? "", boot: boot_id ?? "" };
    const own = this.list.find((h) => h.own) ?? (this.list.length === 1 ? this.list[0] : undefined);
    return { host: own?.id ?? "", boot: (own?.id === host ? boot_id : own?.boot_id) ?? "" };
  }

  // address is what an address calls the one with a machine-id: by the name, unless
  // others have it too.
  address(id: string): string {
    const name = this.#byID.get(id)?.name;
    return name && this.#named.get(name) === 1 ? name : id;
  }

  // words are its name for people, and beside it its machine-id where others have that
  // name, else empty.
  words(h: Host): [name: string, id: string] { return [nameOf(h), h.name && this.#named.get(h.name) !== 1 ? `(${h.id.slice(0, SHORT)})` : ""]; }

  // title is both.
  title(h: Host): string { return this.words(h).filter(Boolean).join(" "); }

  // name is what the host with a machine-id is called.
  name(id: string, name?: string | null): string {
    const h = this.#byID.get(id);
    return h ? this.title(h) : nameOf({ id, name: name ?? null });
  }

  // heard is when a host was heard of last, in ms, Infinity where that is just now:
  // what ran then may have ended since.
  heard(id: string): number {
    const h = this.#byID.get(id);
    return h && !h.own && (h.behind_seconds ?? 0) > QUIET ? milliseconds(h.last) : Infinity;
  }

  // search finds those with a text in the name, or an ID that begins so: those whose
  // name begins so first.
  search(text: string): Host[] {
    const wanted = text.trim().toLowerCase(), first: Host[] = [], then: Host[] = [];
    for (const h of this.list) {
      const at = h.name?.toLowerCase().indexOf(wanted) ?? -1;
      if (at === 0 || h.id.startsWith(wanted)) first.push(h);
      else if (at > 0) then.push(h);
    }
    return [...first, ...then];
  }
}

const nameOf = (h: Pick<Host, "id" | "name">) => h.name || h.id.slice(0, SHORT);
