/** An estimate of the server's clock, so that a countdown does not depend on the accuracy of this computer's clock. */

/** The Date header is truncated to seconds: on average the true time is half a second later. */
const TRUNCATION_MS = 500;

/** The assumed maximum time between the rendering and the display of a page. */
const RENDERING_MS = 5_000;

export class ServerClock {
  private offsetMs = 0;
  private roundTripMs = Number.POSITIVE_INFINITY;

  /** Reads a response's Date header; `sentAt` and `receivedAt` are local times (ms). The response with the shortest round trip counts. */
  observe(dateHeader: string | null, sentAt: number, receivedAt: number): void {
    const serverTime = dateHeader ? Date.parse(dateHeader) : Number.NaN;
    const roundTripMs = receivedAt - sentAt;
    if (Number.isNaN(serverTime) || roundTripMs > this.roundTripMs) return;
    this.roundTripMs = roundTripMs;
    const offsetMs = serverTime + TRUNCATION_MS - (sentAt + receivedAt) / 2;
    // A difference within the header's error is no evidence of a wrong clock, and a correction would make the display jump.
    this.offsetMs = Math.abs(offsetMs) <= TRUNCATION_MS + roundTripMs / 2 ? 0 : offsetMs;
  }

  /**
   * Takes the time at which the server rendered the page. It is early by the page's transfer time, so it counts only
   * until a response is observed, and only if the clock is wrong by more than RENDERING_MS.
   */
  observeRendering(renderedAt: number): void {
    const offsetMs = renderedAt - Date.now();
    if (this.roundTripMs === Number.POSITIVE_INFINITY && Math.abs(offsetMs) > RENDERING_MS) this.offsetMs = offsetMs;
  }

  /** The server's time now, in milliseconds since the epoch. */
  now(): number {
    return Date.now() + this.offsetMs;
  }
}

export const serverClock = new ServerClock();

/** Timers drift, stop while a computer sleeps, and are limited to 24 days; the clock may also be corrected in between. */
const LONGEST_WAIT_MS = 30_000;

/** Calls `callback` when the server's clock reaches `at` (ms); the returned function cancels that. */
export function whenServerTimeIs(at: number, callback: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const check = () => {
    const remainingMs = at - serverClock.now();
    if (remainingMs <= 0) callback();
    else timer = setTimeout(check, Math.min(remainingMs, LONGEST_WAIT_MS));
  };
  check();
  return () => clearTimeout(timer);
}
