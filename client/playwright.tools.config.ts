/** The configuration of the browser tests, for `make screenshots` and `make lighthouse`. */
import { defineConfig } from "@playwright/test";
import base from "./playwright.config";

export default defineConfig({ ...base, testDir: "tests/tools", workers: 1, reporter: "line" });
