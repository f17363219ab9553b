/** Corrects the clock by the time (ms) at which the server rendered the page, before other effects read it. */
import { useLayoutEffect } from "react";
import { serverClock } from "@/lib/clock";

export function useServerClock(renderedAt: number): void {
  useLayoutEffect(() => serverClock.observeRendering(renderedAt), [renderedAt]);
}
