/**
 * Opens the check-in page without a network. Its scope is /checkin/, and it reads what lib/checkin/shell.ts has put into
 * the cache: it stores nothing itself, and leaves every other page and all API calls to the network.
 */
const CACHE = "checkin";
const SHELL = "/checkin/";
/** A network that does not answer counts as none. Milliseconds. */
const TIMEOUT_MS = 5_000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(open(request));
  else if (pathname.startsWith("/_next/static/")) event.respondWith(load(request, pathname));
});

async function open(request) {
  const shell = await find(SHELL);
  if (!shell) return fetch(request);
  try {
    const response = await fetch(request.url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
    return response.status >= 500 ? shell : response;
  } catch {
    return shell;
  }
}

/** The names of these files change with their content. */
async function load(request, pathname) {
  return (await find(pathname)) ?? fetch(request);
}

async function find(path) {
  return caches.match(path, { cacheName: CACHE });
}
