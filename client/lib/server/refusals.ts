/** Error responses of the client's own server, as application/problem+json (RFC 9457). */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Problem } from "@/lib/api/types";
import { discardBody } from "./requestBody";

export interface Refusal {
  status: number;
  title: string;
  detail: string;
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
