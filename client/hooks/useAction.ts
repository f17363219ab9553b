/** Runs the action of a button or a form once at a time and keeps the error. */
import { useRef, useState } from "react";
import { ApiError } from "@/lib/api/errors";

interface Action<Input extends unknown[]> {
  busy: boolean;
  error: ApiError | null;
  start: (...input: Input) => Promise<void>;
  clearError: () => void;
}

/** `run` may reject with an ApiError, which is kept as `error` until the next start. */
export function useAction<Input extends unknown[]>(run: (...input: Input) => Promise<void>): Action<Input> {
  const running = useRef(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  async function start(...input: Input) {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setError(null);
    try {
      await run(...input);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      running.current = false;
      setBusy(false);
    }
  }

  return { busy, error, start, clearError: () => setError(null) };
}
