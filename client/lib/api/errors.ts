/** A refused or failed API call, as the rest of the client sees it. */
import type { Problem } from "./types";

export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /** HTTP status; 0 if there was no response. */
    readonly status: number,
    readonly problem: Problem,
    /** Seconds to wait, from the Retry-After header. */
    readonly retryAfter: number | null = null,
  ) {
    super(problem.detail || problem.title);
  }

  /** True if the call may have been carried out although there was no definite response. */
  get outcomeUnknown(): boolean {
    return this.status === 0 || this.status >= 500 || this.stillRunning;
  }

  /** The first call with this idempotency key is still running: a conflict with our own call, not with another user's. */
  get stillRunning(): boolean {
    return this.status === 409 && this.problem.title === "Still running";
  }

  /** The password is right, and the account also asks for a code; or the code is wrong. */
  get needsCode(): boolean {
    return this.problem.type === "tag:ticketing.dev,2026:second-factor-required";
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

  /** Messages for none of the given inputs; the problem's own text if it has no field errors. */
  generalErrors(inputs: string[]): string[] {
    const shown = Object.entries(this.fieldErrors);
    const others = shown.filter(([name]) => !inputs.includes(name)).map(([name, message]) => `${name}: ${message}`);
    return shown.length > 0 ? others : [this.message];
  }
}

const FALLBACK_TITLES: Record<number, string> = {
  0: "We could not reach the server. Check your connection and try again.",
  502: "This service is not available right now. Please try again in a moment.",
  503: "This service is busy or not available right now. Please try again in a moment.",
  504: "This service is not responding right now. Please try again in a moment.",
};

const DEFAULT_TITLE = "Something went wrong on our side. Please try again.";

/** An error that the client itself reports; status 0 means no response. */
export function localError(status: number, title: string = FALLBACK_TITLES[status] ?? DEFAULT_TITLE): ApiError {
  return new ApiError(status, { type: "about:blank", title, status, errors: [] });
}

/** Errors that a form finds before it sends a request, in the same form as a service's 422. */
export function invalidInput(messages: Record<string, string>): ApiError {
  const errors = Object.entries(messages).map(([field, message]) => ({ field, message }));
  return new ApiError(422, { type: "about:blank", title: "Please check the marked fields.", status: 422, errors });
}

/** Handles the failure of a call without which the page is still correct. Throws what no call of the API rejects with. */
export function ignoreFailure(failure: unknown): undefined {
  const aborted = failure instanceof DOMException && failure.name === "AbortError";
  if (!(aborted || failure instanceof ApiError)) throw failure;
}

export function unreachable(): ApiError {
  return localError(0);
}

/** Reads an error response; a body other than problem+json (for example a proxy's HTML page) is never shown to the reader. */
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
      // The body is incomplete: use the status alone.
    }
  }
  return localError(response.status).problem;
}
