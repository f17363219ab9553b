/** Streams /api/* to the services and back, byte for byte: bodies, cookies, statuses and event streams pass untouched. */

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import * as http from "node:http";
import * as https from "node:https";
import { context, propagation } from "@opentelemetry/api";
import type { Problem } from "@/lib/api/types";
import { UpstreamNotConfiguredError, upstreamFor } from "./upstreams";

/** RFC 9110 §7.6.1: these belong to one connection and are not forwarded. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** A service that takes no connection within this time is down. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Above the 30 s after which a service itself answers 503: only one that hangs altogether lets it pass. Streams answer at once and then last. */
export const ANSWER_TIMEOUT_MS = 40_000;

class AnswerTimeoutError extends Error {}

/**
 * Idle connections are given up well before uvicorn's own five seconds: one that the service closes at the very moment
 * we reuse it would turn a POST into a 502 of unknown outcome.
 */
const POOL = { keepAlive: true, timeout: 2_000 };
const AGENTS = { "http:": new http.Agent(POOL), "https:": new https.Agent(POOL) };

export function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const path = incoming.url ?? "/";
  let upstream: URL | null;
  try {
    upstream = upstreamFor(path);
  } catch (error) {
    if (!(error instanceof UpstreamNotConfiguredError)) throw error;
    console.error(error.message);
    sendProblem(outgoing, 503, "Service not configured", error.message);
    return Promise.resolve();
  }
  if (!upstream) {
    sendProblem(outgoing, 404, "Not found", "No service answers this address.");
    return Promise.resolve();
  }
  return pipeThrough(upstream, path, incoming, outgoing);
}

function pipeThrough(upstream: URL, path: string, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const secure = upstream.protocol === "https:";
    const proxied = (secure ? https : http).request(
      {
        agent: secure ? AGENTS["https:"] : AGENTS["http:"],
        hostname: upstream.hostname.replace(/^\[|\]$/g, ""),
        port: upstream.port,
        method: incoming.method,
        path: upstream.pathname.replace(/\/$/, "") + path,
        headers: requestHeaders(incoming, upstream),
      },
      (answer) => {
        clearTimeout(answerTimer);
        outgoing.writeHead(answer.statusCode ?? 502, answer.statusMessage, responseHeaders(answer.headers));
        // Event streams say nothing for a while; the browser must see them open before the first event.
        outgoing.flushHeaders();
        answer.pipe(outgoing);
        answer.once("error", () => outgoing.destroy());
      },
    );

    const answerTimer = setTimeout(() => proxied.destroy(new AnswerTimeoutError("no answer")), ANSWER_TIMEOUT_MS);
    proxied.once("close", () => clearTimeout(answerTimer));
    proxied.once("socket", (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(() => proxied.destroy(new Error("connect timeout")), CONNECT_TIMEOUT_MS);
      socket.once("connect", () => clearTimeout(timer));
      socket.once("close", () => clearTimeout(timer));
    });
    proxied.once("error", (error: NodeJS.ErrnoException) => {
      // After the browser went away this is the echo of our own hanging up.
      if (outgoing.destroyed) return;
      if (outgoing.headersSent) outgoing.destroy();
      else {
        console.error(`${incoming.method} ${path.split("?")[0]}: ${error.code ?? error.message}`);
        if (error instanceof AnswerTimeoutError)
          sendProblem(outgoing, 504, "Service too slow", "The service behind this address took too long to answer.");
        else sendProblem(outgoing, 502, "Service unavailable", "The service behind this address is not answering.");
      }
    });
    // Closed early means the browser went away: let the service stop working on it.
    outgoing.once("close", () => {
      proxied.destroy();
      resolve();
    });
    incoming.pipe(proxied);
  });
}

function requestHeaders(incoming: IncomingMessage, upstream: URL): IncomingHttpHeaders {
  const headers = withoutHopByHop(incoming.headers);
  const remote = incoming.socket.remoteAddress ?? "";
  const chain = [headers["x-forwarded-for"]].flat().filter(Boolean).join(", ");
  // Next has already put the caller there when nobody stands in front of it.
  headers["x-forwarded-for"] = chain.split(", ").at(-1) === remote ? chain : [chain, remote].filter(Boolean).join(", ");
  headers["x-forwarded-host"] ??= incoming.headers.host;
  headers["x-forwarded-proto"] ??= "http";
  headers.host = upstream.host;
  // The request's own span is the parent of the service's. Where none is made, the caller's header passes as it is.
  propagation.inject(context.active(), headers);
  return headers;
}

function responseHeaders(answered: IncomingHttpHeaders): IncomingHttpHeaders {
  const headers = withoutHopByHop(answered);
  const isStream = headers["content-type"]?.startsWith("text/event-stream");
  // Next's gzip holds an event stream back until it ends, unless the response forbids transformation.
  if (isStream && !headers["cache-control"]?.includes("no-transform"))
    headers["cache-control"] = "no-cache, no-transform";
  return headers;
}

function withoutHopByHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = new Set(headers.connection?.split(",").map((name) => name.trim().toLowerCase()));
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !named.has(name)));
}

function sendProblem(outgoing: ServerResponse, status: number, title: string, detail: string): void {
  const problem: Problem = { type: "about:blank", title, status, detail, errors: [] };
  const body = JSON.stringify(problem);
  const headers: Record<string, string> = { "content-type": "application/problem+json", "cache-control": "no-store" };
  if (status >= 502) headers["retry-after"] = "2";
  outgoing.writeHead(status, headers).end(body);
}
