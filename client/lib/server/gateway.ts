/**
 * Hands /api/* to the services: a request's body as one piece, the answer as a stream. The message framing of each side
 * is that side's own (RFC 9112 §6): undici frames what goes to a service, Node what goes to the caller.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import { context, propagation } from "@opentelemetry/api";
import { Agent, type Dispatcher, errors } from "undici";
import { callerOf } from "./forwarded";
import { type Refusal, refuse } from "./refusals";
import { BodiesFullError, BodyTooLargeError, CallerGoneError, TransferCodingError, withBody } from "./requestBody";
import { type Upstream, UpstreamNotConfiguredError, upstreamFor } from "./upstreams";

/** RFC 9110 §7.6.1: these belong to one connection and are not forwarded. Framing is not forwarded either, it is made anew. */
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

/** RFC 9110 §9.3: a body means something in these. Elsewhere a service may take it for the next request. */
const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);

/** A service that takes no connection within this time is down. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Above the 30 s after which a service itself answers 503. Streams answer at once and then last. */
export const ANSWER_TIMEOUT_MS = 40_000;

/**
 * Idle connections are given up well before uvicorn's own five seconds: one that the service closes at the very moment
 * we reuse it would turn a POST into a 502 of unknown outcome.
 */
const SERVICES = new Agent({
  connect: { timeout: CONNECT_TIMEOUT_MS },
  keepAliveTimeout: 2_000,
  keepAliveMaxTimeout: 2_000,
  pipelining: 1,
  bodyTimeout: 0, // an event stream is silent for as long as it likes
});

const NOT_FOUND: Refusal = { status: 404, title: "Not found", detail: "No service answers this address." };

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
    // After the caller went away this is the echo of our own hanging up.
    if (error instanceof CallerGoneError || outgoing.destroyed) return;
    const refusal = refusalFor(error);
    if (refusal.status >= 500) {
      console.error(`${incoming.method} ${incoming.url?.split("?")[0]}: ${causeOf(error)}`);
    }
    // A part of the answer is gone: only a broken connection can say that the rest is missing.
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
  // Closed early means that the caller went away: let the service stop working on it.
  outgoing.once("close", () => gone.abort());
  if (outgoing.destroyed) return;
  const method = incoming.method as Dispatcher.HttpMethod;
  const answer = await SERVICES.request({
    origin: address.origin,
    path: address.pathname.replace(/\/$/, "") + incoming.url,
    method,
    headers: requestHeaders(incoming),
    body: body.length > 0 ? body : null,
    // The next request never shares a connection with a body that the service may not have read.
    reset: body.length > 0 && !WITH_BODY.has(method),
    headersTimeout: answerTimeoutMs,
    // The Host header is the caller's; a certificate is for the service's name.
    servername: address.hostname.replace(/^\[|\]$/g, ""),
    signal: gone.signal,
  } as Dispatcher.RequestOptions);
  outgoing.writeHead(answer.statusCode, responseHeaders(answer.headers));
  // Event streams say nothing for a while; the browser must see them open before the first event.
  outgoing.flushHeaders();
  answer.body.pipe(outgoing);
  await finished(answer.body);
}

/**
 * What a caller may say to a service. `X-…` is what hops say to each other (X-Forwarded-For, X-Envoy-…): none of it is
 * taken from outside. The services see the caller's own Host, so that no address which they write is an inner one.
 */
function requestHeaders(incoming: IncomingMessage): IncomingHttpHeaders {
  const caller = callerOf(incoming);
  if (!caller.host) throw new NoHostError();
  const headers = endToEnd(incoming.headers);
  for (const name of Object.keys(headers)) {
    if (name.startsWith("x-") || name === "forwarded" || name === "content-length") delete headers[name];
  }
  headers.host = caller.host;
  headers["x-forwarded-for"] = caller.forwardedFor;
  headers["x-forwarded-host"] = caller.host;
  headers["x-forwarded-proto"] = caller.scheme;
  // The request's own span is the parent of the service's. Where none is made, the caller's header passes as it is.
  propagation.inject(context.active(), headers);
  return headers;
}

function responseHeaders(answered: IncomingHttpHeaders): IncomingHttpHeaders {
  const headers = endToEnd(answered);
  // Of two framings the chunked one counted (RFC 9112 §6.3), so the length may be wrong.
  if (answered["transfer-encoding"] !== undefined) delete headers["content-length"];
  // They tell of the software inside, and nothing that a caller needs.
  delete headers.server;
  delete headers["x-powered-by"];
  const isStream = headers["content-type"]?.startsWith("text/event-stream");
  // Next's gzip holds an event stream back until it ends, unless the response forbids transformation.
  if (isStream && !headers["cache-control"]?.includes("no-transform"))
    headers["cache-control"] = "no-cache, no-transform";
  return headers;
}

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const connection = [headers.connection].flat().join(",").split(",");
  const named = new Set(connection.map((name) => name.trim().toLowerCase()));
  // A length is never of one connection, whatever `Connection` names.
  named.delete("content-length");
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !OF_ONE_CONNECTION.has(name) && !named.has(name)),
  );
}

class NoHostError extends Error {}

function refusalFor(error: unknown): Refusal {
  if (error instanceof UpstreamNotConfiguredError)
    return { status: 503, title: "Service not configured", detail: error.message };
  if (error instanceof BodyTooLargeError)
    return { status: 413, title: "The request is too large", detail: error.message };
  if (error instanceof TransferCodingError)
    return { status: 400, title: "Bad request", detail: "Of transfer codings only chunked is understood." };
  if (error instanceof BodiesFullError)
    return { status: 503, title: "Too busy", detail: "Too many requests are being received. Try again shortly." };
  if (error instanceof NoHostError)
    return { status: 400, title: "Bad request", detail: "The request does not say for which host it is." };
  if (error instanceof errors.InvalidArgumentError)
    return { status: 400, title: "Bad request", detail: "The request cannot be passed on as it is." };
  if (error instanceof errors.HeadersTimeoutError) {
    return {
      status: 504,
      title: "Service too slow",
      detail: "The service behind this address took too long to answer.",
    };
  }
  return { status: 502, title: "Service unavailable", detail: "The service behind this address is not answering." };
}

function causeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
