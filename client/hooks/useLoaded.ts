/** The response of one request, which is sent when the component is first shown. */
import { useCallback, useEffect, useState } from "react";
import { ApiError } from "@/lib/api/errors";

export interface Loaded<Result> {
  /** Null until it is known. */
  result: Result | null;
  error: ApiError | null;
  /** Sends the request again. */
  load: (signal?: AbortSignal) => Promise<void>;
}

/** `request` must be the same function in each rendering. */
export function useLoaded<Result>(request: (signal?: AbortSignal) => Promise<Result>): Loaded<Result> {
  const [result, setResult] = useState<Result | null>(null);
  const [error, setError] = useState<ApiError | null>(null);

  const load = useCallback(
    async (signal?: AbortSignal) => {
      setError(null);
      try {
        setResult(await request(signal));
      } catch (failure) {
        if (failure instanceof ApiError) setError(failure);
        else if (!signal?.aborted) throw failure;
      }
    },
    [request],
  );

  useEffect(() => {
    const stop = new AbortController();
    void load(stop.signal);
    return () => stop.abort();
  }, [load]);

  return { result, error, load };
}
