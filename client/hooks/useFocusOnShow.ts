/** Gives an element the focus when it is first shown, because it replaces the one that had it. */
import { type RefObject, useEffect, useRef } from "react";

/** With `wanted` false, the element does not get the focus. */
export function useFocusOnShow<Target extends HTMLElement>(wanted = true): RefObject<Target | null> {
  const target = useRef<Target>(null);
  useEffect(() => {
    if (wanted) target.current?.focus();
  }, [wanted]);
  return target;
}
