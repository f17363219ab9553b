/**
 * Keeps the check-in page itself, so that a reload without a network opens it. The page is the same for every listing
 * and account: the cache holds no personal data, and public/checkin-worker.js serves nothing else.
 */

const CACHE = "checkin";
const SCOPE = "/checkin/";
/** Any id: the page reads it from the address. */
const SHELL = "/checkin/shell";

/** False where the browser cannot keep the page: plain-HTTP origins, private windows of some browsers. */
export async function keepShell(): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return false;
  try {
    await navigator.serviceWorker.register("/checkin-worker.js", { scope: SCOPE });
    const shell = await fetch(SHELL, { cache: "no-store", credentials: "omit" });
    if (!shell.ok) return false;
    const cache = await caches.open(CACHE);
    const wanted = new Set([...scriptsOf(await shell.clone().text()), ...loadedFiles()]);
    const kept = await cache.keys();
    const has = new Set(kept.map(({ url }) => new URL(url).pathname));
    await cache.addAll([...wanted].filter((path) => !has.has(path)));
    // Only now: this page must not need a file that the cache does not have.
    await cache.put(SCOPE, shell);
    const outdated = kept.filter(({ url }) => ![SCOPE, ...wanted].includes(new URL(url).pathname));
    await Promise.all(outdated.map((request) => cache.delete(request)));
    return true;
  } catch {
    // No network, or no storage left: what was kept before stays.
    return (await caches.match(SCOPE, { cacheName: CACHE }).catch(() => undefined)) !== undefined;
  }
}

function scriptsOf(html: string): string[] {
  return html.match(/\/_next\/static\/[^"'\s]+/g) ?? [];
}

/** What this page has loaded on demand, for example the QR code reader. */
function loadedFiles(): string[] {
  return performance
    .getEntriesByType("resource")
    .map(({ name }) => new URL(name, location.href))
    .filter(({ origin, pathname }) => origin === location.origin && pathname.startsWith("/_next/static/"))
    .map(({ pathname }) => pathname);
}

/** Rejects where the browser cannot keep the page. */
export async function forgetShell(): Promise<void> {
  const registration = await navigator.serviceWorker.getRegistration(SCOPE);
  await Promise.all([registration?.unregister(), caches.delete(CACHE)]);
}
