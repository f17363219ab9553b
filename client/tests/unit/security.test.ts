/** What a page may load, for each payment configuration. */
import { describe, expect, it, vi } from "vitest";
import { contentSecurityPolicy } from "@/lib/server/contentSecurityPolicy";
import { runtimeConfig } from "@/lib/server/runtimeConfig";

function policy(key?: string, script?: string): Record<string, string> {
  vi.stubEnv("STRIPE_PUBLISHABLE_KEY", key ?? "");
  vi.stubEnv("STRIPE_JS_URL", script ?? "");
  const directives = contentSecurityPolicy({ nonce: "N0nce" }).split("; ");
  return Object.fromEntries(directives.map((directive) => directive.split(/ (.*)/s).slice(0, 2)));
}

describe("the Content-Security-Policy", () => {
  it("allows only our own origin without payments", () => {
    expect(policy()).toMatchObject({
      "default-src": "'self'",
      "script-src": "'self' 'nonce-N0nce'",
      "connect-src": "'self'",
      "frame-src": "'none'",
      "object-src": "'none'",
      "base-uri": "'none'",
      "frame-ancestors": "'none'",
    });
  });

  it("allows Stripe if there is a Stripe key", () => {
    const { "script-src": scripts, "frame-src": frames, "connect-src": calls } = policy("pk_live_1");
    expect(scripts).toBe("'self' 'nonce-N0nce' https://js.stripe.com https://*.js.stripe.com");
    expect(frames).toContain("https://hooks.stripe.com");
    expect(calls).toBe("'self' https://api.stripe.com");
  });

  it("allows the double instead of Stripe", () => {
    const allowed = Object.values(policy("pk_test_1", "http://127.0.0.1:8420/js.stripe.com/v3/")).join(" ");
    expect(allowed).toContain("http://127.0.0.1:8420");
    expect(allowed).not.toContain("https://");
  });
});

it("WebAssembly is allowed only where a page asks for it, and the evaluation of text never", () => {
  expect(contentSecurityPolicy({ nonce: "N0nce", wasm: true })).toContain("'nonce-N0nce' 'wasm-unsafe-eval'");
  expect(contentSecurityPolicy({ nonce: "N0nce" })).not.toContain("eval");
  expect(contentSecurityPolicy({ wasm: true })).not.toContain("'unsafe-eval'");
});

it("a script address at Stripe's own is no double", () => {
  vi.stubEnv("STRIPE_PUBLISHABLE_KEY", "pk_test_1");
  vi.stubEnv("STRIPE_JS_URL", "https://js.stripe.com/v3/");
  expect(runtimeConfig()).toEqual({ stripe: { publishableKey: "pk_test_1", scriptUrl: null } });
});
