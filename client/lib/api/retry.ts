/**
 * Repeats a call that got no useful answer, a few times and never all at once with everybody else. No library: p-retry
 * and its like know neither Retry-After nor a limit over all calls, which is what keeps an outage from becoming a storm.
 */
import { ApiError } from "./errors";

export interface Patience {
  /** Calls in all, the first one included. */
  attempts: number;
  /** The longest wait before the second call; it doubles with each further one. The real wait is random below it. */
  firstDelayMs: number;
  /** A server that asks for a longer pause than this is not asked again: the reader is told instead. */
  longestDelayMs: number;
  /** No call begins later than this after the first. */
  withinMs: number;
}

export const BROWSER_PATIENCE: Patience = { attempts: 3, firstDelayMs: 400, longestDelayMs: 3_000, withinMs: 8_000 };

/** A page is being waited for; and what failed here the browser tries again. */
export const SERVER_PATIENCE: Patience = { attempts: 2, firstDelayMs: 150, longestDelayMs: 250, withinMs: 1_000 };

/** What all calls together may repeat: ten in a row, then one for ten answers. While everything fails, hardly anything is repeated. */
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
 * Safe methods change nothing (RFC 9110 §9.2.1), and a call with an idempotency key is carried out once however often
 * it is sent. PUT and DELETE are left out: sent again after a lost answer they may be refused, and look as if they failed.
 */
export function isRepeatable(method: string, idempotencyKey: string | undefined): boolean {
  return method === "GET" || method === "HEAD" || idempotencyKey !== undefined;
}

/** Rejects as the last call did, or as an abort does, which also ends the wait between two calls. */
export async function withRetries<Result>(
  send: () => Promise<Result>,
  { patience, budget, signal }: { patience: Patience; budget: RetryBudget; signal?: AbortSignal | undefined },
): Promise<Result> {
  const begun = Date.now();
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await send();
      budget.earn();
      return result;
    } catch (error) {
      if (!(error instanceof ApiError && isPassing(error))) throw error;
      const delay = delayBefore(attempt, error, patience);
      const late = Date.now() - begun + delay > patience.withinMs;
      if (attempt >= patience.attempts || delay > patience.longestDelayMs || late || !budget.spend()) throw error;
      await pause(delay, signal);
    }
  }
}

/** No answer, a service that is away or busy, or our own first call still under way. After a 504 we have waited enough. */
function isPassing(error: ApiError): boolean {
  return [0, 502, 503].includes(error.status) || error.stillRunning;
}

function delayBefore(attempt: number, error: ApiError, { firstDelayMs }: Patience): number {
  const jitter = Math.random() * firstDelayMs * 2 ** (attempt - 1);
  return error.retryAfter === null ? jitter : error.retryAfter * 1000 + jitter;
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const aborted = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", aborted, { once: true });
  });
}
