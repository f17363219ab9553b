/**
 * Makes the page's first rendering in the browser a transition, as Next's app router does and its pages router does not:
 * React then works in slices of a few milliseconds, between which the browser answers taps and scrolls, instead of in
 * one piece that takes a slow phone a quarter of a second. A press on what is not alive yet is still served at once.
 * Where this finds nothing to wrap, the page works as before, only less smoothly.
 */
import { startTransition } from "react";
import ReactDOM, { type Root } from "react-dom/client";

/** In the browser's performance timeline: shows that Next really comes by here, which another version of it may not. */
export const HYDRATION_MARK = "interruptible hydration";

const { hydrateRoot } = ReactDOM;

if (typeof window !== "undefined") {
  ReactDOM.hydrateRoot = (...given) => {
    performance.mark(HYDRATION_MARK);
    let root: Root | undefined;
    startTransition(() => {
      root = hydrateRoot(...given);
    });
    return root as Root;
  };
}
