import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@": import.meta.dirname } },
  oxc: { jsx: { runtime: "automatic" } },
  test: {
    environment: "jsdom",
    include: ["tests/unit/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/unit/setup.ts"],
    testTimeout: 30_000,
    css: false,
    // Before each test: nothing that one has replaced reaches the next.
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
  },
});
