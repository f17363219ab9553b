/** The passes of an order, once it was paid. */
import { useEffect, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { Order, Pass } from "@/lib/api/types";

/** An order that was never paid has no passes. */
export function mayHavePasses({ status, reason }: Pick<Order, "status" | "reason">): boolean {
  return status === "complete" || reason === "event_cancelled" || reason === "refunded";
}

interface Passes {
  /** Null until they are known, and for an order without passes. */
  passes: Pass[] | null;
  failed: boolean;
}

/** Loaded again for each new version of the order, and when the page becomes visible: a pass may be used meanwhile. */
export function usePasses(order: Order, initial: Pass[] | null): Passes {
  const [state, setState] = useState<Passes>({ passes: initial, failed: false });
  const { id, version } = order;
  const wanted = mayHavePasses(order);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another version has other passes.
  useEffect(() => {
    if (!wanted) return;
    const request = new AbortController();
    const load = () => {
      if (document.visibilityState !== "visible") return;
      api.listPasses(id, request.signal).then(
        (passes) => setState({ passes, failed: false }),
        (failure) => {
          if (request.signal.aborted) return;
          if (!(failure instanceof ApiError)) throw failure;
          // 409: it was cancelled before it was paid. 404: a service of the previous version.
          const none = failure.status === 409 || failure.status === 404;
          setState(({ passes }) => (none ? { passes: null, failed: false } : { passes, failed: passes === null }));
        },
      );
    };
    load();
    document.addEventListener("visibilitychange", load, { signal: request.signal });
    return () => request.abort();
  }, [id, version, wanted]);

  return state;
}
