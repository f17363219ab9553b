/**
 * Makes the hydration of a page a transition, as Next's app router does and its pages router does not: React then works
 * in slices of a few milliseconds, and the browser handles input between them; without this, one task takes a quarter of
 * a second on a slow phone. A press on a part that is not hydrated yet is still handled at once. If Next no longer calls
 * `hydrateRoot`, the page still works, with the long task.
 */
import { startTransition } from "react";
import ReactDOM, { type Root } from "react-dom/client";

/** A mark in the browser's performance timeline; a test checks it, because another version of Next may not call `hydrateRoot`. */
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
