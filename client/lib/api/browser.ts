/** The API for the browser: same origin, with cookies; every response also updates the estimate of the server's clock. */
import { serverClock } from "@/lib/clock";
import { suspectSession } from "@/lib/session";
import { createApi } from "./client";
import { BROWSER_RETRY_POLICY } from "./retry";

export const api = createApi((path, init) => fetch(path, { ...init, credentials: "same-origin" }), {
  retryPolicy: BROWSER_RETRY_POLICY,
  onResponse(response, startedAt) {
    serverClock.observe(response.headers.get("date"), startedAt, Date.now());
    if (response.status === 401 && !response.url.endsWith("/signin")) suspectSession();
  },
});
