/** An estimate of the server's clock, so that a countdown ends when the server says so and not when this computer thinks. */

/** The Date header has whole seconds: on average the true time is half a second later. */
const TRUNCATION_MS = 500;

/** A page is shown within this time after it was rendered, unless the network is very slow. */
const RENDERING_MS = 5_000;

export class ServerClock {
  private offsetMs = 0;
  private roundTripMs = Number.POSITIVE_INFINITY;

  /** Takes an answer's Date header and the local times (ms) between which it was made; the quickest answer is trusted most. */
  observe(dateHeader: string | null, sentAt: number, receivedAt: number): void {
    const serverTime = dateHeader ? Date.parse(dateHeader) : Number.NaN;
    const roundTripMs = receivedAt - sentAt;
    if (Number.isNaN(serverTime) || roundTripMs > this.roundTripMs) return;
    this.roundTripMs = roundTripMs;
    const offsetMs = serverTime + TRUNCATION_MS - (sentAt + receivedAt) / 2;
    // Within the header's own error this computer's clock is right and a correction would only make the display jump.
    this.offsetMs = Math.abs(offsetMs) <= TRUNCATION_MS + roundTripMs / 2 ? 0 : offsetMs;
  }

  /**
   * Takes the time at which the server rendered the page that has just been shown. It is too early by as long as the page
   * was on its way, so it counts only while no answer has been observed, and for a clock that is wrong by more than that.
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

/** Timers drift, stop while a computer sleeps, and take no delay beyond 24 days; the clock may also be corrected meanwhile. */
const LONGEST_WAIT_MS = 30_000;

/** Calls back once the server's clock shows `at` (ms), unless the returned function is called before. */
export function whenServerTimeIs(at: number, callback: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const look = () => {
    const remainingMs = at - serverClock.now();
    if (remainingMs <= 0) callback();
    else timer = setTimeout(look, Math.min(remainingMs, LONGEST_WAIT_MS));
  };
  look();
  return () => clearTimeout(timer);
}
