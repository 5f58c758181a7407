// The shape of random trees, beside one that is made the plain way.

import { expect, test } from "@playwright/test";
import type { Row } from "../src/api";
import { Branches } from "../src/branches";
import { Columns } from "../src/columns";
import { FOLD, GROUP, PROCESS, Shape, UNKNOWN } from "../src/shape";

// random is a small generator, so that a failure can be had again.
function random(seed: number) {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

function tree(next: () => number, n: number): Row[] {
  return Array.from({ length: n }, (_, i) => {
    const up = i === 0 || next() < 0.1 ? null : Math.floor(next() * i);
    const ended = next() < 0.5 ? Math.floor(next() * 100) : null;
    return {
      id: `${i}@1.00`, pid: i, up, gap: next() < 0.2, ppid: null, creator_pid: null, name: "abc"[Math.floor(next() * 3)], state: ended === null ? "alive" : "ended",
      began_ms: i, ended_ms: ended, matched: next() < 0.4, group: next() < 0.3 ? -1 : Math.floor(next() * 3), failed: next() < 0.1,
    } as Row;
  });
}

interface Options { since: number; found: boolean; grouped: boolean; focus: number }

// plain lays the rows out, all open but folds.
function plain(rows: Row[], o: Options): string[] {
  const grouped = o.grouped && o.focus < 0;
  const up = (i: number) => (rows[i].up !== null && (!grouped || rows[rows[i].up!].group === rows[i].group) ? rows[i].up! : -1);
  const all = [...rows.keys()];
  const kids = (p: number) => all.filter((i) => up(i) === p && kept(i));
  const own = (i: number) => (rows[i].ended_ms ?? Infinity) >= o.since && (!o.found || rows[i].matched);
  const kept = (i: number): boolean => own(i) || i === o.focus || all.some((k) => k > i && up(k) === i && kept(k));
  const out: string[] = [];
  const draw = (some: number[], depth: number, gaps: boolean) => {
    const isGap = (i: number) => gaps && rows[i].gap === true;
    const list = (those: number[], at: number) => {
      const folds = new Map<string, number[]>();
      for (const i of those) if (kids(i).length === 0) folds.set(`${rows[i].name}${rows[i].matched}`, [...(folds.get(`${rows[i].name}${rows[i].matched}`) ?? []), i]);
      for (const i of those) {
        const fold = kids(i).length === 0 ? folds.get(`${rows[i].name}${rows[i].matched}`)! : [i];
        if (fold.length > 1) {
          if (fold[0] === i) out.push(`${at} fold ${i} ${fold.length}`);
          continue;
        }
        out.push(`${at} process ${i}`);
        draw(kids(i), at + 1, true);
      }
    };
    const unknown = some.filter(isGap);
    if (unknown.length > 0) {
      out.push(`${depth} unknown ${unknown.length}`);
      list(unknown, depth + 1);
    }
    list(some.filter((i) => !isGap(i)), depth);
  };
  if (o.focus >= 0) draw([o.focus], 0, false);
  else if (!grouped) draw(kids(-1), 0, true);
  else for (const g of [0, 1, 2, -1]) {
    const roots = kids(-1).filter((i) => rows[i].group === g);
    if (roots.length === 0) continue;
    const size = (i: number): number => 1 + kids(i).reduce((n, k) => n + size(k), 0);
    out.push(`0 group ${g} ${roots.reduce((n, i) => n + size(i), 0)}`);
    draw(roots, 1, false);
  }
  return out;
}

test("shapes are as those made the plain way", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed), rows = tree(next, 1 + Math.floor(next() * 30));
    const o = { since: next() < 0.5 ? 0 : 50, found: next() < 0.5, grouped: next() < 0.4, focus: next() < 0.3 ? Math.floor(next() * rows.length) : -1 };
    const groups = ["a", "b", "c"].map((name) => ({ key: name, name, rows: 0 }));
    const columns = new Columns({ rows, containers: [], groups }), branches = new Branches();
    const asked = { since: o.since, grouped: o.grouped, focus: o.focus < 0 ? "" : rows[o.focus].id, found: o.found, branches };
    const shape = new Shape(columns, asked);
    const got = [...Array(shape.count).keys()].map((r) => {
      const [depth, ref, many] = [shape.depth[r], shape.ref[r], shape.hidden[r]];
      return { [PROCESS]: `${depth} process ${ref}`, [FOLD]: `${depth} fold ${ref} ${many}`, [UNKNOWN]: `${depth} unknown ${many}`, [GROUP]: `${depth} group ${ref} ${many}` }[shape.kind[r]];
    });
    expect(got, `seed ${seed}: ${JSON.stringify(o)}`).toEqual(plain(rows, o));
    // Each hit can be had from where all is closed, and they are in the order of the rows.
    branches.all(false);
    for (const i of shape.hits) {
      shape.reveal(i);
      const open = new Shape(columns, asked);
      expect(open.kind[open.place[i]], `seed ${seed}: ${i}`).toBe(PROCESS);
      branches.all(false);
    }
    for (const i of shape.hits) shape.reveal(i);
    const open = new Shape(columns, asked), places = shape.hits.map((i) => open.place[i]);
    expect(places, `seed ${seed}`).toEqual(places.toSorted((a, b) => a - b));
  }
});

test("a chain of 100,000 and 100,000 below one are laid out", () => {
  const row = (i: number, up: number | null, name: string): Row => ({ id: `${i}@1.00`, pid: i, up, ppid: null, creator_pid: null, name, state: "alive", began_ms: 0, ended_ms: null, matched: true });
  const n = 100_000, asked = () => ({ since: 0, grouped: false, focus: "", found: true, branches: new Branches() });
  const chain = new Shape(new Columns({ rows: Array.from({ length: n }, (_, i) => row(i, i === 0 ? null : i - 1, "x")), containers: [], groups: [] }), asked());
  expect([chain.count, chain.depth[n - 1], chain.hits.length]).toEqual([n, n - 1, n]);
  // Names in threes: folds, each among all the others.
  const wide = new Shape(new Columns({ rows: Array.from({ length: n }, (_, i) => row(i, i === 0 ? null : 0, `n${i % 33_333}`)), containers: [], groups: [] }), asked());
  expect([wide.count, wide.hits.length]).toEqual([1 + 33_333, n]);
});
