/** Where to go after signing in: only ever a path of this site, so that a crafted link cannot send the user elsewhere. */

/** Stands for this site's origin; the browser resolves a path against any origin in the same way. */
const SITE = "http://client.invalid";
/** Longer than any address of a page here, and short enough for every server's limit on a Location header. */
const LONGEST = 2_048;

/** Next's own types allow a repeated query parameter; the first one counts. */
export function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/**
 * `value` as a path, query and fragment of this site; "/" for everything else (CWE-601).
 *
 * The URL parser decides, as it does in the browser that follows the answer (WHATWG URL §4.4): it knows that "/\evil"
 * names a host and that tabs vanish. What it makes of a path is parsed again, since "/.//evil" becomes "//evil".
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
