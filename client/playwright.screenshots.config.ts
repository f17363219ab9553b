/** As the browser tests, but what runs takes pictures: `make screenshots`. */
import { defineConfig } from "@playwright/test";
import base from "./playwright.config";

export default defineConfig({ ...base, testDir: "tests/screenshots", workers: 1 });
