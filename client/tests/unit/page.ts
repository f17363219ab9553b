/** The page of a component test: its router, and what is reset after each test. */
import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";
import { router, visit } from "./router";

// Waits are bounded by the test's own timeout, not by the speed of the machine.
configure({ asyncUtilTimeout: 25_000 });
vi.mock("next/router", () => ({ useRouter: () => router }));

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  sessionStorage.clear();
  visit("/");
});
