/** The headers that every answer of this server bears: pages, files, the gateway's answers, and refusals of Node itself. */
import { contentSecurityPolicy } from "./contentSecurityPolicy";

/** A year, with all subdomains (OWASP ASVS 5.0, 3.4.1). */
const HSTS = "max-age=31536000; includeSubDomains";

/**
 * By name in lower case. `forwardedProto` is the request's X-Forwarded-Proto: browsers heed Strict-Transport-Security
 * behind TLS only (RFC 6797 §7.2). A page replaces the policy by one with its nonce, a service by its own.
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
