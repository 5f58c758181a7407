// How things are written.

import { execFileSync } from "node:child_process";
import { expect, test } from "@playwright/test";
import { read, withoutTimes, write } from "../src/address";
import { bytes, duration, shell, visible } from "../src/text";

test("durations and sizes", () => {
  expect([0, 0.0005, 0.25, 1, 12.34, 999.4, 999.6, 1500, 59_940, 60e3, 61e3, 754e3, 3600e3, 3660e3, 86400e3, 90000e3, 864000e3].map(duration)).toEqual(
    ["0 s", "0.5 µs", "250 µs", "1 ms", "12.3 ms", "999 ms", "1 s", "1.5 s", "59.9 s", "1 min", "1 min 1 s", "12 min", "1 h", "1 h 1 min", "1 d", "1 d 1 h", "10 d"]);
  expect([0, 1023, 1024, 1536, 18_432_000, 5e12].map(bytes)).toEqual(["0 B", "1023 B", "1 KiB", "1.5 KiB", "17.6 MiB", "4.55 TiB"]);
});

test("what is not printable is escaped", () => {
  expect(visible("a\nb\x1b[0m\u202e\u{e0041}é漢")).toBe("a\\nb\\x1b[0m\\u202e\\U000e0041é漢");
});

test("a shell takes what is copied for the same arguments", () => {
  const all = ["", "plain", "a b", "it's", "\"", "\\", "$HOME", "`id`", "!!", "*", "~", "#", "a=b", "-n", "\n", "\t'\\\n", "\x01" + "7", "\x7f", "\u202e0", "\u{1f600}", "\\x41\n", "é\x1b[0m", "%s", "{a,b}", "a;b&c|d>e<f(g)"];
  const line = shell(all);
  expect(line).not.toMatch(/[\x00-\x1f\x7f\u202e]/);
  const said = execFileSync("/bin/bash", ["--norc", "-c", `printf '%s\\0' ${line}`], { env: { LC_ALL: "C.UTF-8" }, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  expect(said.split("\0").slice(0, -1)).toEqual(all);
});

test("an address says what was looked at", () => {
  const place = { ...read(""), since: Date.parse("2026-03-01T12:00:00.250Z"), until: Date.parse("2026-03-01T12:05:00Z"), q: "a&b \"c d\" exit!=0", only: "failed", by: "pod", edge: "parent", focus: "12@3.45~6", select: "b-0/7@8.90", panel: true, limit: 100_000 } as const;
  expect(read(write(place))).toEqual(place);
  expect(write(read(""))).toBe("");
  expect(write(place)).toContain("focus=12@3.45~6&");
});

test("an address that makes no sense is as if nothing was said", () => {
  for (const odd of ["?since=x&until=y", "?since=2026-01-02&until=2026-01-01", "?last=-5s", "?by=colour&only=&edge=up&limit=7", "?panel=yes", "?%00=%ff", "?last=0s"]) expect(write(read(odd))).toBe("");
});

test("times are taken out of a search", () => {
  expect(withoutTimes("nginx since:10m exit!=0 until:\"2026-01-01 10:00\" x")).toBe("nginx exit!=0 x");
  expect(withoutTimes("since:10m")).toBe("");
});
