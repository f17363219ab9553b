import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@": import.meta.dirname } },
  oxc: { jsx: { runtime: "automatic" } },
  test: {
    testTimeout: 30_000,
    css: false,
    // Before each test: nothing that one has replaced reaches the next.
    mockReset: true,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    projects: [
      { extends: true, test: { name: "node", include: ["tests/unit/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "page",
          include: ["tests/unit/**/*.test.tsx"],
          environment: "jsdom",
          setupFiles: ["tests/unit/page.ts"],
        },
      },
    ],
  },
});
