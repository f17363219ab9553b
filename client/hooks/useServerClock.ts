/** The server's clock, whose estimate starts with the time at which the server rendered the page. */
import { useEffect, useLayoutEffect, useState } from "react";
import { serverClock } from "@/lib/clock";

/** Corrects the clock by the time of rendering (ms), before other effects read it. */
export function useServerClock(renderedAt: number | undefined): void {
  useLayoutEffect(() => {
    if (renderedAt !== undefined) serverClock.observeRendering(renderedAt);
  }, [renderedAt]);
}

/**
 * The server's time (ms), updated once a second while `ticking`. `initial` is the time that the server rendered with, so
 * that hydration finds the same text.
 */
export function useServerNow(initial: number, ticking: boolean): number {
  const [now, setNow] = useState(initial);
  useEffect(() => {
    setNow(serverClock.now());
    if (!ticking) return;
    const timer = setInterval(() => setNow(serverClock.now()), 1000);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}
