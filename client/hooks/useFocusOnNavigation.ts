/** After a change of page the focus starts at its content, as it would after a full load; a changed query is no change of page. */
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
