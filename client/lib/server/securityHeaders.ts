/** The security headers of every response: pages, files, the gateway's responses, and Node's own errors. */
import { contentSecurityPolicy } from "./contentSecurityPolicy";

/** A year, with all subdomains (OWASP ASVS 5.0, 3.4.1). */
const HSTS = "max-age=31536000; includeSubDomains";

/**
 * By name in lower case. `forwardedProto` is the request's X-Forwarded-Proto: Strict-Transport-Security is sent over TLS
 * only (RFC 6797 §7.2). A page replaces the policy with one that has its nonce, a service with its own.
 */
export function securityHeaders(forwardedProto?: string | string[]): Record<string, string> {
  const headers: Record<string, string> = {
    "content-security-policy": contentSecurityPolicy(),
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-content-type-options": "nosniff",
  };
  const scheme = [forwardedProto].flat().join(",").split(",")[0]?.trim();
  if (scheme === "https") headers["strict-transport-security"] = HSTS;
  return headers;
}
