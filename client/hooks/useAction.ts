/** Runs the action of a button once at a time and keeps the error. Forms use useFormSubmission. */
import { useRef, useState } from "react";
import { ApiError } from "@/lib/api/errors";

interface Action {
  busy: boolean;
  error: ApiError | null;
  start: () => Promise<void>;
}

/** `run` may reject with an ApiError, which is kept as `error` until the next start. */
export function useAction(run: () => Promise<void>): Action {
  const running = useRef(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  async function start() {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setError(null);
    try {
      await run();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      running.current = false;
      setBusy(false);
    }
  }

  return { busy, error, start };
}
