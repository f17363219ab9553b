/** Sends scans to the server, and records its decisions. A scan has one idempotency key, so sending it again is safe. */
import { api } from "../api/browser";
import { ApiError } from "../api/errors";
import { type Decision, decide, listWaiting, type Refusal, type Scan } from "./store";

/** `decided`, or why the scan still waits: no answer, no session, or another account's listing. */
export type Settlement = "decided" | "unreachable" | "signedOut" | "forbidden";

/** A call that hangs must not block the queue. Milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;

/** Whether the last call of this page was answered. While it is false, a scan does not wait for the server. */
let reachable = true;

export function isReachable(): boolean {
  return reachable && navigator.onLine;
}

/** Other calls of the page, and a caller that has waited in vain, report it too. */
export function reportReachable(answered: boolean): void {
  reachable = answered;
}

export async function settle({ passId, code, idempotencyKey }: Scan): Promise<Settlement> {
  let decision: Decision;
  try {
    await api.checkIn({ code }, idempotencyKey, AbortSignal.timeout(ANSWER_TIMEOUT_MS));
    decision = { state: "accepted" };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    reachable = !error.outcomeUnknown || error.stillRunning;
    if (error.status === 401) return "signedOut";
    if (error.status === 403) return "forbidden";
    const refusal = refusalOf(error);
    if (!refusal) return "unreachable";
    decision = { state: "refused", refusal };
  }
  reachable = true;
  await decide(passId, decision);
  return "decided";
}

/** Null if the answer decides nothing: try again later. */
export function refusalOf({ status, problem, message }: ApiError): Refusal | null {
  if (status === 409 && problem.passStatus) {
    return { reason: problem.passStatus, firstAt: problem.firstAt ?? null, message };
  }
  if (status === 409 || status === 408 || status === 429 || status === 0 || status >= 500) return null;
  return { reason: "other", firstAt: null, message };
}

const LOCK = "checkin-settle";

/** Sends all waiting scans of this account, the oldest first, in one tab at a time. Stops at the first that stays waiting. */
export async function settleWaiting(userId: string): Promise<Settlement> {
  // Plain-HTTP origins have no locks. Two tabs may send the same scan then: both get the same answer.
  if (!navigator.locks) return settleAll(userId);
  return navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => (lock ? settleAll(userId) : "decided"));
}

async function settleAll(userId: string): Promise<Settlement> {
  for (const scan of await listWaiting()) {
    if (scan.userId !== userId) continue;
    const settlement = await settle(scan);
    if (settlement !== "decided") return settlement;
  }
  return "decided";
}
