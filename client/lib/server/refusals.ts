/** Error responses of the client's own server, as application/problem+json (RFC 9457). */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Problem } from "@/lib/api/types";

export interface Refusal {
  status: number;
  title: string;
  detail: string;
}

/** Thrown where a request cannot be forwarded; `message` is for the log. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";

  constructor(
    readonly refusal: Refusal,
    message = refusal.detail,
  ) {
    super(message);
  }
}

export function refuse(incoming: IncomingMessage, outgoing: ServerResponse, refusal: Refusal): void {
  outgoing.writeHead(refusal.status, refusalHeaders(refusal)).end(refusalBody(refusal));
  discardBody(incoming);
}

export function refusalHeaders({ status }: Refusal): Record<string, string> {
  const headers: Record<string, string> = { "content-type": "application/problem+json", "cache-control": "no-store" };
  if (status >= 502) headers["retry-after"] = "2";
  return headers;
}

export function refusalBody({ status, title, detail }: Refusal): string {
  const problem: Problem = { type: "about:blank", title, status, detail, errors: [] };
  return JSON.stringify(problem);
}

/** After an error response, this much more is read and discarded; a caller that is still sending would lose the response otherwise. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

/** Discards the rest of a refused body, so that the response arrives; disconnects a caller that sends too much. */
function discardBody(incoming: IncomingMessage): void {
  let discarded = 0;
  incoming.on("error", () => {});
  incoming.on("data", (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > MAX_DISCARDED_BYTES) incoming.destroy();
  });
}
