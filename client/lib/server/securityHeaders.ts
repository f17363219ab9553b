/** The security headers of every response: pages, files, the gateway's responses, and Node's own errors. */
import { contentSecurityPolicy } from "./contentSecurityPolicy";

/** A year, with all subdomains (OWASP ASVS 5.0, 3.4.1). */
const HSTS = "max-age=31536000; includeSubDomains";

/** Reads QR codes with WebAssembly where the browser cannot (lib/checkin/decoder.ts). */
const CHECKIN_PAGE = /^\/checkin\/[^/]+$/;

/**
 * By name in lower case. `url` is the request's path with its query. `forwardedProto` is the request's X-Forwarded-Proto: Strict-Transport-Security is sent over TLS
 * only (RFC 6797 §7.2). A page replaces the policy with one that has its nonce, a service with its own.
 */
export function securityHeaders(url = "", forwardedProto?: string | string[]): Record<string, string> {
  const headers: Record<string, string> = {
    "content-security-policy": contentSecurityPolicy({ wasm: CHECKIN_PAGE.test(url.split("?")[0] ?? "") }),
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-content-type-options": "nosniff",
  };
  const scheme = [forwardedProto].flat().join(",").split(",")[0]?.trim();
  if (scheme === "https") headers["strict-transport-security"] = HSTS;
  return headers;
}
