/** The API as the browser calls it: same origin, cookies by themselves, every answer a chance to read the server's clock. */
import { serverClock } from "@/lib/clock";
import { suspectSession } from "@/lib/session";
import { createApi } from "./client";
import { BROWSER_PATIENCE } from "./retry";

export const api = createApi((path, init) => fetch(path, { ...init, credentials: "same-origin" }), {
  patience: BROWSER_PATIENCE,
  onAnswer(response, startedAt) {
    serverClock.observe(response.headers.get("date"), startedAt, Date.now());
    if (response.status === 401 && !response.url.endsWith("/signin")) suspectSession();
  },
});
