/** The server's time (ms), updated once a second while `ticking`. */
import { useEffect, useState } from "react";
import { serverClock } from "@/lib/clock";

/** `initial` (ms) is the time the server rendered with, so that hydration finds the same text. */
export function useServerNow(initial: number, ticking: boolean): number {
  const [now, setNow] = useState(initial);
  useEffect(() => serverClock.observeRendering(initial), [initial]);
  useEffect(() => {
    setNow(serverClock.now());
    if (!ticking) return;
    const timer = setInterval(() => setNow(serverClock.now()), 1000);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}
