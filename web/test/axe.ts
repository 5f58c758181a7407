// The rules of accessibility, as axe-core has them.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "@playwright/test";
import { expect } from "./open";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// keepsRules holds that the page, as it is now, breaks no rule.
export async function keepsRules(page: Page, what: string) {
  await page.evaluate(axe);
  const broken = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: (o: object) => Promise<{ passes: unknown[]; violations: { id: string; nodes: { target: unknown; failureSummary: string }[] }[] }> } };
    const { passes, violations } = await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] });
    if (passes.length < 10) return [`only ${passes.length} rules were looked at`];
    return violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${String(n.target)} ${n.failureSummary}`).join("; ")}`);
  });
  expect(broken, what).toEqual([]);
}
