/** Reads the next cursor out of an RFC 8288 Link header. */

const NEXT = /<([^>]*)>\s*;[^,]*\brel="?next"?/i;

export function nextCursor(header: string | null): string | null {
  const target = header?.match(NEXT)?.[1];
  if (!target) return null;
  // The target is path-absolute; the base only makes it parseable.
  return new URL(target, "http://api.invalid").searchParams.get("cursor");
}
