import { defineConfig } from "vite";

// `npm run dev` asks the daemon at LINEAGE_URL.
const daemon = process.env["LINEAGE_URL"] ?? "http://127.0.0.1:7654";

export default defineConfig({
  // The daemon may stand behind a path of a proxy.
  base: "./",
  build: {
    target: "es2023",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // the first that know light-dark()
    // The policy of the page allows no data: in it, and no script of its own in the
    // HTML.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
  server: { proxy: { "/v1": daemon, "/openapi.yaml": daemon } },
});
