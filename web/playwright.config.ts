import { defineConfig } from "@playwright/test";

// With LINEAGE_URL only what is true of any daemon is tested, against that one.
const daemon = process.env["LINEAGE_URL"];

export default defineConfig({
  testDir: "test",
  testMatch: daemon ? "any.spec.ts" : "*.spec.ts",
  testIgnore: process.env["SCREENSHOTS"] ? [] : "shots.spec.ts",
  outputDir: process.env["LINEAGE_TEST_OUTPUT"] ?? "test-results",
  workers: 1,
  timeout: 120e3, // when a test that hangs is given up, and an expectation
  expect: { timeout: 30e3 },
  reporter: [["list"]],
  use: {
    viewport: { width: 1280, height: 800 },
    launchOptions: { executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox"] },
    permissions: ["clipboard-read", "clipboard-write"],
  },
});
