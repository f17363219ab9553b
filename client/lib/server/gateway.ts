/**
 * Forwards /api/* to the services: request bodies in one piece, responses as streams. Message framing is not forwarded
 * (RFC 9112 §6): undici frames requests to a service, Node frames responses to the caller.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import { context, propagation } from "@opentelemetry/api";
import { Agent, type Dispatcher, errors } from "undici";
import { callerOf } from "./forwarded";
import { type Refusal, RefusedError, refuse } from "./refusals";
import { CallerGoneError, withBody } from "./requestBody";
import { type Upstream, upstreamFor } from "./upstreams";

/** Hop-by-hop headers, which are not forwarded (RFC 9110 §7.6.1). */
const OF_ONE_CONNECTION = new Set([
  "connection",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Methods whose body has a meaning (RFC 9110 §9.3). With others, a service may read the body as the next request. */
const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);

/** A service that accepts no connection within this time counts as down. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Longer than the 30 s after which a service itself returns 503. Streams send their headers at once. */
export const ANSWER_TIMEOUT_MS = 40_000;

/**
 * Idle connections are closed well before uvicorn's five seconds: if the service closed a connection at the moment of its
 * reuse, a POST would become a 502 with an unknown outcome.
 */
const SERVICES = new Agent({
  connect: { timeout: CONNECT_TIMEOUT_MS },
  keepAliveTimeout: 2_000,
  keepAliveMaxTimeout: 2_000,
  pipelining: 1,
  bodyTimeout: 0, // an event stream may be silent
});

const NOT_FOUND: Refusal = { status: 404, title: "Not found", detail: "No service handles this address." };

export async function forward(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  answerTimeoutMs: number = ANSWER_TIMEOUT_MS,
): Promise<void> {
  try {
    const upstream = upstreamFor(incoming.url ?? "/");
    if (!upstream) return refuse(incoming, outgoing, NOT_FOUND);
    await withBody(incoming, upstream.maxBodyBytes, (body) =>
      relay(upstream, body, incoming, outgoing, answerTimeoutMs),
    );
  } catch (error) {
    // The caller has disconnected, so there is nothing to report.
    if (error instanceof CallerGoneError || outgoing.destroyed) return;
    const refusal = refusalFor(error);
    if (refusal.status >= 500) {
      console.error(`${incoming.method} ${incoming.url?.split("?")[0]}: ${causeOf(error)}`);
    }
    // A part of the response has been sent: only a closed connection shows that the rest is missing.
    if (outgoing.headersSent) outgoing.destroy();
    else refuse(incoming, outgoing, refusal);
  }
}

async function relay(
  { address }: Upstream,
  body: Buffer,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  answerTimeoutMs: number,
): Promise<void> {
  const gone = new AbortController();
  // Closed early means that the caller has disconnected: let the service stop its work.
  outgoing.once("close", () => gone.abort());
  if (outgoing.destroyed) return;
  const method = incoming.method as Dispatcher.HttpMethod;
  const answer = await SERVICES.request({
    origin: address.origin,
    path: address.pathname.replace(/\/$/, "") + incoming.url,
    method,
    headers: requestHeaders(incoming),
    body: body.length > 0 ? body : null,
    // Do not reuse a connection after a body that the service may not have read.
    reset: body.length > 0 && !WITH_BODY.has(method),
    headersTimeout: answerTimeoutMs,
    // The Host header is the caller's; the certificate is for the service's name.
    servername: address.hostname.replace(/^\[|\]$/g, ""),
    signal: gone.signal,
  } as Dispatcher.RequestOptions);
  outgoing.writeHead(answer.statusCode, responseHeaders(answer.headers));
  // An event stream may be silent at first; the browser must see it open before the first event.
  outgoing.flushHeaders();
  answer.body.pipe(outgoing);
  await finished(answer.body);
}

/**
 * The headers for the service. `X-…` headers are for communication between hops (X-Forwarded-For, X-Envoy-…), so none is
 * accepted from outside. The services see the caller's Host, so that URLs they write do not contain internal addresses.
 */
function requestHeaders(incoming: IncomingMessage): IncomingHttpHeaders {
  const caller = callerOf(incoming);
  if (!caller.host) {
    throw new RefusedError({ status: 400, title: "Bad request", detail: "The request has no Host header." });
  }
  const headers = endToEnd(incoming.headers);
  for (const name of Object.keys(headers)) {
    if (name.startsWith("x-") || name === "forwarded" || name === "content-length") delete headers[name];
  }
  headers.host = caller.host;
  headers["x-forwarded-for"] = caller.forwardedFor;
  headers["x-forwarded-host"] = caller.host;
  headers["x-forwarded-proto"] = caller.scheme;
  // The request's span is the parent of the service's span. Without one, the caller's header passes unchanged.
  propagation.inject(context.active(), headers);
  return headers;
}

function responseHeaders(answered: IncomingHttpHeaders): IncomingHttpHeaders {
  const headers = endToEnd(answered);
  // If both framings are present, chunked counts (RFC 9112 §6.3), so the length may be wrong.
  if (answered["transfer-encoding"] !== undefined) delete headers["content-length"];
  // These headers only reveal the software in use.
  delete headers.server;
  delete headers["x-powered-by"];
  const isStream = headers["content-type"]?.startsWith("text/event-stream");
  // Next's gzip buffers an event stream until it ends, unless the response forbids transformation.
  if (isStream && !headers["cache-control"]?.includes("no-transform"))
    headers["cache-control"] = "no-cache, no-transform";
  return headers;
}

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const connection = [headers.connection].flat().join(",").split(",");
  const named = new Set(connection.map((name) => name.trim().toLowerCase()));
  // Content-Length is never hop-by-hop, even if `Connection` names it.
  named.delete("content-length");
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !OF_ONE_CONNECTION.has(name) && !named.has(name)),
  );
}

function refusalFor(error: unknown): Refusal {
  if (error instanceof RefusedError) return error.refusal;
  if (error instanceof errors.InvalidArgumentError)
    return { status: 400, title: "Bad request", detail: "The request cannot be forwarded." };
  if (error instanceof errors.HeadersTimeoutError) {
    return {
      status: 504,
      title: "Service too slow",
      detail: "The service at this address took too long to respond.",
    };
  }
  return { status: 502, title: "Service unavailable", detail: "The service at this address is not responding." };
}

function causeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
