/** The path after sign-in: no crafted link leads to another site. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { safeReturnPath, signInPath } from "@/lib/returnTo";

describe("the return address", () => {
  it.each([
    "/",
    "/orders/665f1f77bcf86cd799439011?x=2#total",
    "/?q=caf%C3%A9+noir&from=2026-05-01",
    "/?next=//evil.example",
    "/tickets/1?url=https://evil.example/",
  ])("%j is kept", (path) => {
    expect(safeReturnPath(path)).toBe(path);
    expect(safeReturnPath(new URLSearchParams(signInPath(path).split("?")[1]).get("returnTo") ?? "")).toBe(path);
  });

  it.each([
    undefined,
    "",
    "orders",
    "https://evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n\\evil.example",
    "\t//evil.example",
    " //evil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/%2e//evil.example",
    "/%2E%2e//evil.example",
    "/a/..//evil.example",
    "/\t.//evil.example",
    "/.\\/evil.example",
    "/%2f%2fevil.example",
    "/%2f/evil.example",
    "/%5cevil.example",
    "/%09/evil.example",
    "/..%2f%2fevil.example",
    "/%zz",
    "//user:secret@evil.example",
    "//client.invalid@evil.example",
    "//[",
    `/${"a".repeat(2_048)}`,
    `/${"é".repeat(1_000)}`,
  ])("%j is not", (path) => expect(safeReturnPath(path)).toBe("/"));

  it("is the first of several", () => {
    expect(safeReturnPath(["/sell", "//evil.example"])).toBe("/sell");
    expect(safeReturnPath(["//evil.example", "/sell"])).toBe("/");
    expect(safeReturnPath([])).toBe("/");
  });

  it("carries no user name, and encodes what no header may contain", () => {
    expect(safeReturnPath("/user:secret@evil.example")).toBe("/user:secret@evil.example");
    expect(safeReturnPath("/a\r\nSet-Cookie: b")).toBe("/aSet-Cookie:%20b");
    expect(safeReturnPath("/\u0000é\ud800")).toBe("/%00%C3%A9%EF%BF%BD");
  });

  it("stays on this site for any text", () => {
    const part = fc.oneof(
      fc.constantFrom("/", "/", "\\", ".", "..", "%2e", "%2f", "%5c", "%09", "\t", "\n", "\r", " ", "@", ":", "?", "#"),
      fc.constantFrom(
        "evil.example",
        "https:",
        "javascript:",
        "[::1]",
        "client.invalid",
        "\u0000",
        "\u3002",
        "／",
        "é",
      ),
      fc.string({ unit: "binary", maxLength: 4 }),
    );
    const text = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          text.map((rest) => `/${rest}`),
        ),
        (value) => {
          const path = safeReturnPath(value);
          for (const site of ["https://tickets.example", "http://127.0.0.1:3000"]) {
            expect(new URL(path, `${site}/signin`).href).toBe(site + path);
          }
          // Visible ASCII only, and a second check gives the same result.
          expect(path).toMatch(/^\/[!-~]*$/);
          expect(safeReturnPath(path)).toBe(path);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});
