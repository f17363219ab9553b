/** What a refused or failed call looks like to the rest of the client. */
import type { Problem } from "./types";

export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /** HTTP status; 0 when no answer came at all. */
    readonly status: number,
    readonly problem: Problem,
    /** Seconds the server asks us to wait, from Retry-After. */
    readonly retryAfter: number | null = null,
  ) {
    super(problem.detail || problem.title);
  }

  /** True when the call may have been carried out although we got no definite answer. */
  get outcomeUnknown(): boolean {
    return this.status === 0 || this.status >= 500 || this.stillRunning;
  }

  /** The first call with this idempotency key has not finished: a conflict with ourselves, not with somebody else. */
  get stillRunning(): boolean {
    return this.status === 409 && this.problem.title === "Still running";
  }

  /** Messages by input name; see also `generalErrors`. */
  get fieldErrors(): Record<string, string> {
    const byField: Record<string, string> = {};
    for (const { field, message } of this.problem.errors ?? []) {
      const name = field?.split(".").at(-1);
      if (name && !(name in byField)) byField[name] = message.replace(/^Input should be/, "This must be");
    }
    return byField;
  }

  /** What belongs to none of the given inputs; the refusal's own text when the errors say nothing more. */
  generalErrors(inputs: string[]): string[] {
    const shown = Object.entries(this.fieldErrors);
    const others = shown.filter(([name]) => !inputs.includes(name)).map(([name, message]) => `${name}: ${message}`);
    return shown.length > 0 ? others : [this.message];
  }
}

const FALLBACK_TITLES: Record<number, string> = {
  0: "We could not reach the server. Check your connection and try again.",
  502: "This part of the shop is not answering right now. Please try again in a moment.",
  503: "This part of the shop is busy or down right now. Please try again in a moment.",
  504: "This part of the shop takes too long to answer right now. Please try again in a moment.",
};

const DEFAULT_TITLE = "Something went wrong on our side. Please try again.";

/** An error made here, not by a service: status 0 is "no answer at all". */
export function localError(status: number, title: string = FALLBACK_TITLES[status] ?? DEFAULT_TITLE): ApiError {
  return new ApiError(status, { type: "about:blank", title, status, errors: [] });
}

/** What the form itself sees before anything is sent, in the shape of a service's refusal. */
export function invalidInput(messages: Record<string, string>): ApiError {
  const errors = Object.entries(messages).map(([field, message]) => ({ field, message }));
  return new ApiError(422, { type: "about:blank", title: "Please check what is marked", status: 422, errors });
}

export function unreachable(): ApiError {
  return localError(0);
}

/** Reads a refusal; a body that is not problem+json (a gateway's HTML page, say) is never shown to the reader. */
export async function errorFrom(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfter = Number.isFinite(seconds) ? seconds : null;
  const problem = await readProblem(response);
  return new ApiError(response.status, problem, retryAfter);
}

async function readProblem(response: Response): Promise<Problem> {
  if (response.headers.get("content-type")?.startsWith("application/problem+json")) {
    try {
      return (await response.json()) as Problem;
    } catch {
      // Cut off half way: say what the status alone tells.
    }
  }
  return localError(response.status).problem;
}
