/**
 * Completes the standalone folder. Next leaves out the static files, because a CDN could serve them; here this server
 * does. Its server.js is replaced with ours, which sets the server's limits (lib/server/start.ts).
 */
import { cpSync, existsSync, renameSync } from "node:fs";
import { build } from "vite";

const ROOT = import.meta.dirname.replace(/[\\/]scripts$/, "");

cpSync(".next/static", ".next/standalone/.next/static", { recursive: true });
if (existsSync("public")) cpSync("public", ".next/standalone/public", { recursive: true });

renameSync(".next/standalone/server.js", ".next/standalone/next-server.js");
await build({
  configFile: false,
  logLevel: "warn",
  resolve: { alias: { "@": ROOT } },
  build: {
    ssr: "lib/server/start.ts",
    outDir: ".next/standalone",
    emptyOutDir: false,
    copyPublicDir: false,
    target: "node20",
    rollupOptions: { output: { entryFileNames: "server.js" } },
  },
});
