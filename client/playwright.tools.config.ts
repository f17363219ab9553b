/** As the browser tests, but for what takes pictures and figures: `make screenshots`, `make lighthouse`. */
import { defineConfig } from "@playwright/test";
import base from "./playwright.config";

export default defineConfig({ ...base, testDir: "tests/tools", workers: 1, reporter: "line" });
