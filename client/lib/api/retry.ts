/**
 * Repeats failed calls a few times, with random delays. No library: p-retry and similar packages support neither
 * Retry-After nor a retry budget over all calls, which prevents a retry storm during an outage.
 */
import { ApiError } from "./errors";

export interface RetryPolicy {
  /** The maximum number of calls, including the first. */
  attempts: number;
  /** The maximum delay before the second call; it doubles with each further one. The actual delay is random below it. */
  firstDelayMs: number;
  /** If Retry-After is longer than this, the call is not repeated and fails. */
  longestDelayMs: number;
  /** No repeated call starts later than this after the first. */
  withinMs: number;
}

export const BROWSER_RETRY_POLICY: RetryPolicy = {
  attempts: 3,
  firstDelayMs: 400,
  longestDelayMs: 3_000,
  withinMs: 8_000,
};

/** Short, because a reader waits for the page; the browser can repeat what failed here. */
export const SERVER_RETRY_POLICY: RetryPolicy = {
  attempts: 2,
  firstDelayMs: 150,
  longestDelayMs: 250,
  withinMs: 1_000,
};

/** The retry budget of all calls together: ten retries at first, then one for every ten responses. In an outage almost nothing is repeated. */
export class RetryBudget {
  private earned: number;

  constructor(
    private readonly most = 10,
    private readonly answersPerRetry = 10,
  ) {
    this.earned = most * answersPerRetry;
  }

  earn(): void {
    this.earned = Math.min(this.most * this.answersPerRetry, this.earned + 1);
  }

  spend(): boolean {
    if (this.earned < this.answersPerRetry) return false;
    this.earned -= this.answersPerRetry;
    return true;
  }
}

/**
 * Safe methods change nothing (RFC 9110 §9.2.1), and a call with an idempotency key is carried out once, however often it
 * is sent. PUT and DELETE are not repeated: after a lost response, a second call may be refused although the first succeeded.
 */
export function isRepeatable(method: string, idempotencyKey: string | undefined): boolean {
  return method === "GET" || method === "HEAD" || idempotencyKey !== undefined;
}

/** Rejects with the error of the last call, or with the abort reason; an abort also ends the delay between two calls. */
export async function withRetries<Result>(
  send: () => Promise<Result>,
  { retryPolicy, budget, signal }: { retryPolicy: RetryPolicy; budget: RetryBudget; signal?: AbortSignal | undefined },
): Promise<Result> {
  const begun = Date.now();
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await send();
      budget.earn();
      return result;
    } catch (error) {
      if (!(error instanceof ApiError && isTemporary(error))) throw error;
      const delay = delayBefore(attempt, error, retryPolicy);
      const late = Date.now() - begun + delay > retryPolicy.withinMs;
      if (attempt >= retryPolicy.attempts || delay > retryPolicy.longestDelayMs || late || !budget.spend()) throw error;
      await pause(delay, signal);
    }
  }
}

/** No response, a service that is down or busy, or our own first call still running. A 504 has taken too long already. */
function isTemporary(error: ApiError): boolean {
  return [0, 502, 503].includes(error.status) || error.stillRunning;
}

function delayBefore(attempt: number, error: ApiError, { firstDelayMs }: RetryPolicy): number {
  const jitter = Math.random() * firstDelayMs * 2 ** (attempt - 1);
  return error.retryAfter === null ? jitter : error.retryAfter * 1000 + jitter;
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
