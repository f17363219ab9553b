/** Reads the next cursor from a Link header (RFC 8288). */

const NEXT = /<([^>]*)>\s*;[^,]*\brel="?next"?/i;

export function nextCursor(header: string | null): string | null {
  const target = header?.match(NEXT)?.[1];
  if (!target) return null;
  // The target is path-absolute; URL needs a base to parse it.
  return new URL(target, "http://api.invalid").searchParams.get("cursor");
}
