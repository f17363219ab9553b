/** Moves the focus to the content after navigation to another page, as a full load would. A changed query does not count. */
import { useRouter } from "next/router";
import { useEffect, useRef } from "react";

export function useFocusOnNavigation(): void {
  const path = useRouter().asPath.split(/[?#]/)[0];
  const previous = useRef(path);
  useEffect(() => {
    if (previous.current === path) return;
    previous.current = path;
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [path]);
}
