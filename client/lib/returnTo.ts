/** Where to go after signing in: only ever a path of this site, so that a crafted link cannot send the user elsewhere. */

/** Next's own types allow a repeated query parameter; the first one counts. */
export function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

export function safeReturnPath(value: string | string[] | undefined): string {
  const path = first(value);
  if (!path?.startsWith("/")) return "/";
  const base = "http://client.invalid";
  try {
    // Browsers read "/\evil" and "//evil" as another host; the parser knows all such spellings.
    const url = new URL(path, base);
    return url.origin === base ? url.pathname + url.search + url.hash : "/";
  } catch {
    return "/";
  }
}

export function signInPath(returnTo: string): string {
  return `/signin?returnTo=${encodeURIComponent(returnTo)}`;
}
