/** The path to return to after signing in: always a path of this site, so that a crafted link cannot redirect elsewhere. */

/** A placeholder for this site's origin; browsers resolve a path against any origin in the same way. */
const SITE = "http://client.invalid";
/** Longer than any address of this site, and within every server's limit for a Location header. */
const LONGEST = 2_048;

/** The first value of a query parameter, which Next's types allow to be repeated. */
export function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/**
 * `value` as a path, query and fragment of this site; "/" for everything else (CWE-601).
 *
 * The URL parser decides, as in the browser that receives the redirect (WHATWG URL §4.4): it reads "/\evil" as a host and
 * removes tabs. Its result is parsed again, because "/.//evil" becomes "//evil".
 */
export function safeReturnPath(value: string | string[] | undefined): string {
  const path = first(value);
  if (!path?.startsWith("/") || path.length > LONGEST) return "/";
  try {
    const url = new URL(path, SITE);
    const result = url.pathname + url.search + url.hash;
    const safe = url.origin === SITE && result.length <= LONGEST && isOfThisSite(result);
    // A proxy that decodes "%2f" and redirects would turn an encoded path into another host.
    return safe && isOfThisSite(decodeURIComponent(url.pathname)) ? result : "/";
  } catch {
    return "/";
  }
}

function isOfThisSite(path: string): boolean {
  const { origin, pathname } = new URL(path, SITE);
  return origin === SITE && !pathname.startsWith("//");
}

export function signInPath(returnTo: string): string {
  return `/signin?returnTo=${encodeURIComponent(returnTo)}`;
}

/** Pages of accounts for readers who are not signed in. They are no place to return to; two have a token in their address. */
const SIGNED_OUT_PAGES = new Set(["/signin", "/signup", "/forgot-password", "/reset-password", "/verify-email"]);

/** `pathname` is the route, as Next's router has it. */
export function isSignedOutPage(pathname: string): boolean {
  return SIGNED_OUT_PAGES.has(pathname);
}
