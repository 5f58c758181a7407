// The rows as they are shown: what the window, the focus, the groups and the
// closed branches leave of them, in order.

import type { Branches } from "./branches";
import { byName } from "./text";
import { Columns, ENDED, FAILED, GAP, MATCHED } from "./columns";

// What a shown row is. A fold stands for the leaves of one name below one process;
// an unknown one for whoever may stand between a process and those whose creator is
// not known.
export const PROCESS = 0, FOLD = 1, UNKNOWN = 2, GROUP = 3;

export interface Asked {
  since: number; // what ended before is not shown
  grouped: boolean;
  focus: string; // the key of a process, or empty
  found: boolean; // the rows answer a question: some are there because of others alone
  branches: Branches;
}

export class Shape {
  count = 0;
  kind = new Uint8Array(0);
  ref = new Int32Array(0); // the process; of a fold its first; of an unknown one whom it is under, or -1; a group, or -1
  depth = new Int32Array(0);
  hidden = new Int32Array(0); // how many a fold, an unknown one, a group or a closed branch stands for
  failed = new Int32Array(0); // how many of those failed
  readonly place: Int32Array; // the shown row of a process, -1 for none; in a closed fold the fold's
  readonly hits: number[] = []; // the processes that match, as they are with all branches open
  readonly focus: number; // the process, -1 for none
  total = 0; // how many processes of the window there are
  running = 0;
  readonly #kept: Uint8Array; // whether it is in the window, and asked for
  readonly #roots: Int32Array; // the first root of each group, before them of what has none
  readonly #child: Int32Array; // the first one below
  readonly #next: Int32Array; // of those below the same
  readonly #below: Int32Array; // how many are below
  readonly #failedBelow: Int32Array;
  readonly #leaves: Int32Array; // how many leaves of a name there are below one process
  readonly #firsts: Int32Array; // and the first of them
  readonly #lasts: Int32Array;
  readonly #another: Int32Array; // the next leaf of the same fold

  constructor(readonly columns: Columns, private readonly asked: Asked) {
    const n = columns.count, names = columns.names.length;
    this.focus = columns.places.get(asked.focus) ?? -1;
    this.#roots = new Int32Array(columns.groups.length + 1).fill(-1);
    this.#kept = new Uint8Array(n);
    this.#child = new Int32Array(n).fill(-1);
    this.#next = new Int32Array(n).fill(-1);
    this.#below = new Int32Array(n);
    this.#failedBelow = new Int32Array(n);
    this.#leaves = new Int32Array(2 * names);
    this.#firsts = new Int32Array(2 * names);
    this.#lasts = new Int32Array(2 * names);
    this.#another = new Int32Array(n).fill(-1);
    this.place = new Int32Array(n).fill(-1);
    this.#link();
    this.#walk((key) => asked.branches.isOpen(key), (kind, ref, depth, hidden, failed) => {
      const row = this.count++;
      if (row === this.kind.length) this.#grow();
      this.kind[row] = kind;
      this.ref[row] = ref;
      this.depth[row] = depth;
      this.hidden[row] = hidden;
      this.failed[row] = failed;
      if (kind === PROCESS) this.place[ref] = row;
      if (kind === FOLD) for (let i = ref; i >= 0; i = this.#another[i]) this.place[i] = row;
    });
    if (asked.found) this.#walk(() => true, (kind, ref) => {
      if (kind === PROCESS && columns.has(ref, MATCHED)) this.hits.push(ref);
    });
  }

  // has reports whether the process is in the window, also where no row is open for it.
  has(i: number): boolean { return i >= 0 && this.#kept[i] === 1; }

  // branch is what the row is called among the branches, empty for one with nothing
  // below it.
  branch(row: number): string {
    const kind = this.kind[row], ref = this.ref[row];
    return kind === PROCESS && this.#child[ref] < 0 ? "" : this.#key(kind, ref);
  }

  // reveal opens all that the process is under.
  reveal(i: number) {
    const { columns: c } = this, { branches } = this.asked;
    if (this.#child[i] < 0 && i !== this.focus) branches.set(this.#key(FOLD, this.#fold(i)), true);
    for (let p = i; p >= 0 && p !== this.focus; p = this.#up(p)) {
      const up = this.#up(p);
      if (this.#isGap(p)) branches.set(this.#key(UNKNOWN, up), true);
      if (up >= 0) branches.set(this.#key(PROCESS, up), true);
      else if (this.#isGrouped) branches.set(this.#key(GROUP, c.group[p]), true);
    }
  }

  // under returns the row that the row is below, -1 for none.
  under(row: number): number {
    let r = row - 1;
    while (r >= 0 && this.depth[r] >= this.depth[row]) r--;
    return r;
  }

  // members are the processes that a row stands for, but for a closed branch.
  members(row: number): number[] {
    return this.kind[row] === FOLD ? this.#members(this.ref[row]) : this.kind[row] === PROCESS ? [this.ref[row]] : [];
  }

  // key is what the row stays known by when others come and go.
  key(row: number): string { return this.#key(this.kind[row], this.ref[row]); }

  // rowOf is the row with that key, -1 where there is none any more.
  rowOf(key: string): number {
    for (let row = 0; row < this.count; row++) if (this.key(row) === key) return row;
    return -1;
  }

  // grow makes room for twice as many rows.
  #grow() {
    const more = <T extends Int32Array | Uint8Array>(old: T): T => {
      const a = new (old.constructor as new (n: number) => T)(Math.max(256, 2 * old.length));
      a.set(old);
      return a;
    };
    this.kind = more(this.kind);
    for (const column of ["ref", "depth", "hidden", "failed"] as const) this[column] = more(this[column]);
  }

  get #isGrouped(): boolean { return this.asked.grouped && this.focus < 0; }

  #key(kind: number, ref: number): string {
    const c = this.columns;
    switch (kind) {
      case FOLD: return `fold:${c.keys[ref]}`;
      case UNKNOWN: return `unknown:${ref < 0 ? "" : c.keys[ref]}`;
      case GROUP: return `group:${ref < 0 ? "" : c.groups[ref].key}`;
      default: return c.keys[ref];
    }
  }

  // up is whom the process is under: among those of its own group, where there are
  // groups.
  #up(i: number): number {
    const { columns: c } = this, up = c.up[i];
    return up >= 0 && this.#isGrouped && c.group[up] !== c.group[i] ? -1 : up;
  }

  // isGap reports whether it is below an unknown row. At the top of a group it is
  // not: whoever made it is of another group, known or not.
  #isGap(i: number): boolean {
    return this.columns.has(i, GAP) && i !== this.focus && !(this.#isGrouped && this.#up(i) < 0);
  }

  // leaf numbers the leaves by what they fold by: the name, and whether they match.
  #leaf(i: number): number { return 2 * this.columns.name[i] + (this.columns.has(i, MATCHED) ? 1 : 0); }

  // members are the leaves of the fold that one is the first of.
  #members(first: number): number[] {
    const found = [];
    for (let i = first; i >= 0; i = this.#another[i]) found.push(i);
    return found;
  }

  // fold is the first of the leaves that fold with one, also in a closed branch.
  #fold(i: number): number {
    const up = this.#up(i);
    let k = up >= 0 ? this.#child[up] : this.#root(i);
    while (k >= 0 && !(this.#child[k] < 0 && this.#leaf(k) === this.#leaf(i) && this.#isGap(k) === this.#isGap(i))) k = this.#next[k];
    return k < 0 ? i : k;
  }

  // root is the first root of those that the process is of.
  #root(i: number): number { return this.#roots[this.#isGrouped ? this.columns.group[i] + 1 : 0]; }

  // link puts what is shown below whom it is under. A process comes after the one
  // it is under, so that one pass from the end does.
  #link() {
    const { columns: c, focus } = this, { since, found } = this.asked;
    const keep = this.#kept;
    for (let i = c.count - 1; i >= 0; i--) {
      if (c.ended[i] >= since && (!found || c.has(i, MATCHED))) {
        keep[i] = 1;
        this.total++;
        if (!c.has(i, ENDED)) this.running++;
      }
      if (keep[i] === 0 && i !== focus || i < focus) continue;
      const up = i === focus ? -1 : this.#up(i);
      if (up >= 0) {
        keep[up] = 1;
        this.#next[i] = this.#child[up];
        this.#child[up] = i;
        this.#below[up] += 1 + this.#below[i];
        this.#failedBelow[up] += this.#failedBelow[i] + (c.has(i, FAILED) ? 1 : 0);
      } else if (focus < 0 || i === focus) {
        const g = this.#isGrouped ? c.group[i] + 1 : 0;
        this.#next[i] = this.#roots[g];
        this.#roots[g] = i;
      }
    }
  }

  // walk tells of the rows from the top: what each is, which, how deep, how many it
  // stands for and how many of those failed.
  #walk(isOpen: (key: string) => boolean, row: (kind: number, ref: number, depth: number, hidden: number, failed: number) => void) {
    const { columns: c } = this;
    const stack: number[] = []; // of each what it is, which, how deep, how many
    if (this.#isGrouped) this.#groups(stack);
    else this.#siblings(this.#roots[0], -1, 0, false, stack);
    while (stack.length > 0) {
      const many = stack.pop()!, depth = stack.pop()!, ref = stack.pop()!, kind = stack.pop()!;
      const open = isOpen(this.#key(kind, ref));
      let hidden = many, failed = 0;
      switch (kind) {
        case PROCESS:
          if (open) this.#siblings(this.#child[ref], ref, depth + 1, false, stack);
          else [hidden, failed] = [this.#below[ref], this.#failedBelow[ref]];
          break;
        case FOLD: {
          const members = this.#members(ref);
          for (const i of members) if (c.has(i, FAILED)) failed++;
          if (open) for (const i of members.reverse()) stack.push(PROCESS, i, depth + 1, 0);
          break;
        }
        case UNKNOWN:
          if (open) this.#siblings(ref < 0 ? this.#roots[0] : this.#child[ref], ref, depth + 1, true, stack);
          break;
        case GROUP:
          if (open) this.#siblings(this.#roots[ref + 1], -1, depth + 1, false, stack);
          else for (let i = this.#roots[ref + 1]; i >= 0; i = this.#next[i]) failed += this.#failedBelow[i] + (c.has(i, FAILED) ? 1 : 0);
          break;
      }
      row(kind, ref, depth, hidden, failed);
    }
  }

  // siblings puts those below one process on the stack, the last one first: those
  // with a gap or those without. Of the latter an unknown row for the former is
  // the first.
  #siblings(first: number, under: number, depth: number, gap: boolean, stack: number[]) {
    const begin = stack.length;
    let gaps = 0;
    for (let i = first; i >= 0; i = this.#next[i]) {
      if (this.#isGap(i) !== gap) gaps++;
      else if (this.#child[i] < 0) {
        const leaf = this.#leaf(i);
        if (this.#leaves[leaf]++ === 0) this.#firsts[leaf] = i;
        else this.#another[this.#lasts[leaf]] = i;
        this.#lasts[leaf] = i;
      }
    }
    for (let i = first; i >= 0; i = this.#next[i]) {
      if (this.#isGap(i) !== gap) continue;
      const leaf = this.#leaf(i), many = this.#child[i] < 0 ? this.#leaves[leaf] : 1;
      if (many === 1) stack.push(PROCESS, i, depth, 0);
      else if (this.#firsts[leaf] === i) stack.push(FOLD, i, depth, many);
    }
    for (let i = first; i >= 0; i = this.#next[i]) this.#leaves[this.#leaf(i)] = 0;
    for (let a = begin, b = stack.length - 4; a < b; a += 4, b -= 4) {
      for (let k = 0; k < 4; k++) [stack[a + k], stack[b + k]] = [stack[b + k], stack[a + k]];
    }
    if (gaps > 0 && !gap) stack.push(UNKNOWN, under, depth, gaps);
  }

  // groups puts a row for each group on the stack, the last by name first; what has
  // no group is the last of all.
  #groups(stack: number[]) {
    const { groups } = this.columns;
    const order = [...groups.keys()].sort((a, b) => byName(groups[b].name, groups[a].name));
    for (const g of [-1, ...order]) {
      let many = 0;
      for (let i = this.#roots[g + 1]; i >= 0; i = this.#next[i]) many += 1 + this.#below[i];
      if (many > 0) stack.push(GROUP, g, 0, many);
    }
  }
}
