/** The network of a component under test: responses by call, and the calls that were sent. */
import { vi } from "vitest";
import { ApiError } from "@/lib/api/errors";
import type { Problem } from "@/lib/api/types";

export interface Sent {
  /** For example `POST /api/users/signin`. */
  call: string;
  body: unknown;
}

type Responses = Record<string, () => Response>;

/** Calls without a response in `responses` fail as if there were no network. */
export function network(responses: Responses): Sent[] {
  const sent: Sent[] = [];
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const call = `${init.method} ${path}`;
    sent.push({ call, body: init.body ? JSON.parse(String(init.body)) : undefined });
    const respond = responses[call];
    if (!respond) throw new TypeError("fetch failed");
    return respond();
  });
  return sent;
}

export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}

/** A refusal as the services send it (RFC 9457). */
export function problem(
  status: number,
  detail: string,
  members: Partial<Problem> = {},
  headers: Record<string, string> = {},
): Response {
  const body = JSON.stringify({ type: "about:blank", title: "Refused", status, detail, errors: [], ...members });
  return new Response(body, { status, headers: { "content-type": "application/problem+json", ...headers } });
}

/** A 409 as the calls of the API reject with it. */
export function conflict(members: Partial<Problem> = {}): ApiError {
  return new ApiError(409, { type: "about:blank", title: "Conflict", status: 409, errors: [], ...members });
}
