/** The router of the page under test. */
import { vi } from "vitest";

export const router = {
  asPath: "/",
  pathname: "/",
  query: {} as Record<string, string>,
  push: vi.fn(async (_path: string) => true),
  replace: vi.fn(async (_path: string) => true),
};

/** The reader opens an address. */
export function visit(asPath: string): void {
  const { pathname, searchParams } = new URL(asPath, "http://client.invalid");
  Object.assign(router, { asPath, pathname, query: Object.fromEntries(searchParams) });
}
