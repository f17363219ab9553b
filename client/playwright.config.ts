/** Browser tests against a running product: BASE_URL is its address, from `ticketing up --detach`. */
import { defineConfig } from "@playwright/test";
import { chromium } from "./tests/e2e/chromium";

const baseURL = process.env.BASE_URL;
if (!baseURL)
  throw new Error("BASE_URL is not set. Start the product with `ticketing up --detach` and set its address.");

const { executablePath, args, env } = chromium();

export default defineConfig({
  testDir: "tests/e2e",
  outputDir: "test-results",
  // One waits for a hold to expire while the other works.
  workers: 2,
  fullyParallel: false,
  forbidOnly: Boolean(process.env.CI),
  reporter: process.env.CI ? [["line"], ["html", { open: "never" }]] : [["list"]],
  timeout: 60_000,
  expect: { timeout: 10_000 },
  use: {
    baseURL,
    trace: "retain-on-failure",
    launchOptions: { executablePath, args, env },
    locale: "en-US",
  },
});
