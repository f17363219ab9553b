/** Limits of the HTTP server: the time for a request's head and body, the number of connections, the size of a head. */
import type { IncomingMessage, RequestListener, Server, ServerOptions, ServerResponse } from "node:http";
import { createServer, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type Refusal, refusalBody, refusalHeaders } from "./refusals";
import { securityHeaders } from "./securityHeaders";

export interface Bounds
  extends Required<
    Pick<
      ServerOptions,
      "headersTimeout" | "requestTimeout" | "keepAliveTimeout" | "connectionsCheckingInterval" | "maxHeaderSize"
    >
  > {
  maxConnections: number;
}

/** Times in milliseconds, sizes in bytes. Responses have no limit, because event streams stay open. Figures: docs/resilience.md. */
export const BOUNDS: Bounds = {
  headersTimeout: 10_000,
  requestTimeout: 30_000, // head and body: at most 256 KiB, so 9 KB/s
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16 * 1024,
  maxConnections: 5_000, // the maximum number of streams of two services, and a thousand more
};

const DROPS_REPORTED_EVERY_MS = 60_000;

/** A server with these limits. Every response has the security headers, also where Node responds without `listener`. */
export function boundedServer(listener: RequestListener, bounds: Bounds = BOUNDS, create = createServer): Server {
  const { maxConnections, ...options } = bounds;
  const server = create(options);
  server.maxConnections = maxConnections;
  /** The unfinished responses of each connection: more than one if requests are pipelined. */
  const answers = new WeakMap<Duplex, ServerResponse[]>();
  server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const open = answers.get(incoming.socket)?.filter((other) => !other.writableFinished) ?? [];
    answers.set(incoming.socket, [...open, outgoing]);
    for (const header of Object.entries(securityHeaders(incoming.headers["x-forwarded-proto"]))) {
      outgoing.setHeader(...header);
    }
  });
  server.on("request", listener);
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    const begun = answers.get(socket)?.some((outgoing) => outgoing.headersSent && !outgoing.writableFinished);
    // Within a response, an error response would be read as its content.
    if (begun || !socket.writable || error.code === "ECONNRESET") socket.destroy(error);
    else socket.end(rawAnswer(refusalFor(error.code)), () => socket.destroy());
  });
  reportDrops(server, maxConnections);
  return server;
}

/** The same statuses that Node uses. */
function refusalFor(code: string | undefined): Refusal {
  if (code === "HPE_HEADER_OVERFLOW")
    return {
      status: 431,
      title: "Request header too large",
      detail: "The request's headers are longer than the limit.",
    };
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return { status: 408, title: "Request too slow", detail: "The request was not received in time." };
  return { status: 400, title: "Bad request", detail: "The request is not valid HTTP/1.1." };
}

function rawAnswer(refusal: Refusal): string {
  const body = refusalBody(refusal);
  const headers = {
    ...securityHeaders(),
    ...refusalHeaders(refusal),
    connection: "close",
    "content-length": String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n${lines.join("")}\r\n${body}`;
}

function reportDrops(server: Server, maxConnections: number): void {
  let reportedAt = -Infinity;
  server.on("drop", () => {
    if (performance.now() - reportedAt < DROPS_REPORTED_EVERY_MS) return;
    reportedAt = performance.now();
    console.error(`refusing connections: ${maxConnections} are open`);
  });
}
