import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@": import.meta.dirname } },
  esbuild: { jsx: "automatic" },
  test: { environment: "jsdom", include: ["tests/unit/**/*.test.{ts,tsx}"], css: false },
});
