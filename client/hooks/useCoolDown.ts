/** Counts down whole seconds, for example those of a Retry-After header. */
import { useCallback, useEffect, useState } from "react";

interface CoolDown {
  /** Seconds left; 0 when it is over. */
  seconds: number;
  start: (seconds: number) => void;
}

export function useCoolDown(): CoolDown {
  const [endsAt, setEndsAt] = useState(0);
  const [seconds, setSeconds] = useState(0);

  useEffect(() => {
    // A timer of a hidden tab is late, so the time decides and not the number of ticks.
    const update = () => setSeconds(Math.max(0, Math.ceil((endsAt - performance.now()) / 1000)));
    update();
    const timer = setInterval(() => {
      update();
      if (performance.now() >= endsAt) clearInterval(timer);
    }, 1000);
    return () => clearInterval(timer);
  }, [endsAt]);

  const start = useCallback((wait: number) => setEndsAt(performance.now() + wait * 1000), []);
  return { seconds, start };
}
