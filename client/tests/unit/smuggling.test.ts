/**
 * One incoming request becomes at most one forwarded request, whatever framing the caller sends (RFC 9112 §11.2; the
 * PortSwigger classes CL.TE, TE.CL, TE.TE, CL.0 and hop-by-hop abuse). The service reads the bytes with its own parser.
 */
import { createServer } from "node:http";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { BOUNDS, boundedServer } from "@/lib/server/bounds";
import { forward } from "@/lib/server/gateway";
import { serveWith } from "./servers";
import { RawCaller, RawService } from "./wire";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "SEARCH"];

const HIDDEN = "GET /metrics HTTP/1.1\r\nHost: x\r\nCookie: of the attacker\r\n\r\n";
const SIZE = HIDDEN.length;
const CHUNK = `${SIZE.toString(16)}\r\n${HIDDEN}\r\n`;
const CHUNKED = `${CHUNK}0\r\n\r\n`;
const LENGTH = `Content-Length: ${SIZE}\r\n`;
const TE = "Transfer-Encoding: chunked\r\n";

/** Headers and the bytes after them. If the request is valid, its content is HIDDEN. */
const FRAMINGS: Record<string, [headers: string, content: string]> = {
  "no body": ["", ""],
  "length 0": ["Content-Length: 0\r\n", ""],
  length: [LENGTH, HIDDEN],
  chunked: [TE, CHUNKED],
  "chunked in capitals": ["TRANSFER-ENCODING: CHUNKED\r\n", CHUNKED],
  "chunked with a trailer": [
    `${TE}Trailer: content-length\r\n`,
    `${CHUNK}0\r\nContent-Length: 5\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n`,
  ],
  "chunked with extensions": [TE, `${SIZE.toString(16)};a="b\\"c";d\r\n${HIDDEN}\r\n0;e\r\n\r\n`],
  "length, then chunked": [`Content-Length: ${CHUNKED.length}\r\n${TE}`, CHUNKED],
  "chunked, then length": [`${TE}Content-Length: 3\r\n`, CHUNKED],
  "length named by Connection": [`Connection: keep-alive, content-length\r\n${LENGTH}`, HIDDEN],
  "chunked named by Connection": [`Connection: Transfer-Encoding\r\n${TE}`, CHUNKED],
  "host named by Connection": [`Connection: host, content-type\r\n${LENGTH}`, HIDDEN],
  "keep-alive requested": [
    `Connection: keep-alive\r\nKeep-Alive: timeout=600\r\nProxy-Connection: x\r\n${TE}`,
    CHUNKED,
  ],
  "the same length twice": [`${LENGTH}${LENGTH}`, HIDDEN],
  "two lengths": [`Content-Length: 0\r\n${LENGTH}`, HIDDEN],
  "a list of lengths": [`Content-Length: ${SIZE}, ${SIZE}\r\n`, HIDDEN],
  "a signed length": [`Content-Length: +${SIZE}\r\n`, HIDDEN],
  "a hexadecimal length": [`Content-Length: 0x${SIZE.toString(16)}\r\n`, HIDDEN],
  "a length with a space before the colon": [`Content-Length : ${SIZE}\r\n`, HIDDEN],
  "an unknown coding": ["Transfer-Encoding: xchunked\r\n", CHUNKED],
  "chunked, identity": ["Transfer-Encoding: chunked, identity\r\n", CHUNKED],
  "identity, chunked": ["Transfer-Encoding: identity, chunked\r\n", CHUNKED],
  "gzip, chunked": ["Transfer-Encoding: gzip, chunked\r\n", CHUNKED],
  "chunked twice": [`${TE}${TE}`, CHUNKED],
  "chunked and another coding": [`${TE}Transfer-Encoding: cow\r\n`, CHUNKED],
  "a coding after a vertical tab": ["Transfer-Encoding: \x0bchunked\r\n", CHUNKED],
  "a coding with a space before the colon": ["Transfer-Encoding : chunked\r\n", CHUNKED],
  "a folded coding": ["Transfer-Encoding:\r\n chunked\r\n", CHUNKED],
  "a coding with a bare line feed": ["X-A: b\nTransfer-Encoding: chunked\r\n", CHUNKED],
  "a coding with a bare carriage return": ["X-A: b\rTransfer-Encoding: chunked\r\n", CHUNKED],
  "a wrong chunk size": [TE, `2\r\n${HIDDEN}\r\n0\r\n\r\n`],
  "chunks with bare line feeds": [TE, `${SIZE.toString(16)}\n${HIDDEN}\n0\n\n`],
  "a huge chunk size": [TE, `ffffffffffffffff1\r\n${HIDDEN}\r\n0\r\n\r\n`],
  "100-continue expected": [`Expect: 100-continue\r\n${LENGTH}`, HIDDEN],
  "100-continue expected, chunked": [`Expect: 100-continue\r\n${TE}`, CHUNKED],
  "another expectation": [`Expect: everything\r\n${LENGTH}`, HIDDEN],
  "an upgrade": [`Connection: upgrade\r\nUpgrade: websocket\r\n${LENGTH}`, HIDDEN],
  "an upgrade to HTTP/2": [
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    HIDDEN,
  ],
  "a proxy's authorization": [`Proxy-Authorization: Basic YQ==\r\nTE: trailers\r\n${TE}`, CHUNKED],
};

let gateway: string;
let service: RawService;

beforeEach(async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  service = await RawService.start();
  for (const variable of ["TICKETS_URL", "ORDERS_URL"]) vi.stubEnv(variable, service.address);
  gateway = await serveWith(
    boundedServer((incoming, outgoing) => void forward(incoming, outgoing), BOUNDS, createServer),
  );
});

function begun(method: string, target: string, headers: string): string {
  return `${method} ${target} HTTP/1.1\r\nHost: shop.example\r\nCookie: of the attacker\r\n${headers}\r\n`;
}

async function victimsAnswer(round = 0): Promise<string> {
  const response = await fetch(`${gateway}/api/orders?${round}`, { headers: { cookie: "of the victim" } });
  return response.text();
}

describe.each(METHODS)("%s", (method) => {
  it.each(Object.entries(FRAMINGS))("with %s", async (_name, [headers, content]) => {
    const status = await new RawCaller(gateway).send(begun(method, "/api/tickets/1", headers) + content).status();
    // When this has a response, everything that came together with the first request has been counted.
    expect(await victimsAnswer()).toBe("/api/orders?0 for of the victim");

    const own = service.requests.filter(({ target }) => target !== "/api/orders?0");
    expect(service.rubbish).toEqual([]);
    expect(own.length).toBeLessThanOrEqual(1);
    const [request] = own;
    if (!request) {
      // Refused; 0 is a connection that was closed at once.
      expect([0, 400, 404, 413, 417]).toContain(status);
      return;
    }
    expect(request).toMatchObject({ method, target: "/api/tickets/1" });
    // The bytes after an upgrade are the caller's next request, to which the gateway itself responds.
    expect(["", HIDDEN]).toContain(request.body);
    expect(request.headers["transfer-encoding"]).toBeUndefined();
    if (request.body) expect(request.headers["content-length"]).toBe(String(SIZE));
    for (const name of ["te", "trailer", "upgrade", "expect", "keep-alive", "proxy-authorization", "http2-settings"]) {
      expect(request.headers).not.toHaveProperty(name);
    }
  });
});

it.each(Object.entries(FRAMINGS).slice(2, 5))(
  "passes the whole body on, with %s",
  async (_name, [headers, content]) => {
    for (const method of METHODS) {
      expect(await new RawCaller(gateway).send(begun(method, "/api/tickets/1", headers) + content).status()).toBe(200);
    }
    expect(service.requests.map(({ body }) => body)).toEqual(METHODS.map(() => HIDDEN));
  },
);

it("does not reuse a connection after a body whose method gives it no meaning", async () => {
  for (const method of ["GET", "DELETE", "OPTIONS", "HEAD"]) {
    await new RawCaller(gateway).send(begun(method, "/api/tickets/1", LENGTH) + HIDDEN).status();
    await victimsAnswer();
    const [attack, victim] = service.requests.splice(0);
    expect(attack?.headers.connection).toBe("close");
    expect(victim?.connection).not.toBe(attack?.connection);
  }
});

it("responds to pipelined requests in order", async () => {
  const caller = new RawCaller(gateway);
  caller.send(begun("DELETE", "/api/tickets/1", TE) + CHUNKED + begun("GET", "/api/orders?own", ""));
  const text = await caller.received((received) => received.includes("/api/orders?own for"));
  expect(text.indexOf("/api/tickets/1 for")).toBeLessThan(text.indexOf("/api/orders?own for"));
  expect(service.requests.map(({ target }) => target)).toEqual(["/api/tickets/1", "/api/orders?own"]);
});

it("never swaps the responses of two callers", async () => {
  const framings = [...Object.values(FRAMINGS)];
  const wrong: string[] = [];
  const ROUNDS = 400;
  const attack = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      const [headers, content] = framings[round % framings.length] ?? ["", ""];
      const method = METHODS[Math.floor(round / framings.length) % METHODS.length] ?? "GET";
      const hidden = content.replace("/metrics", "/smuggle"); // of the same length
      const caller = new RawCaller(gateway).send(begun(method, "/api/tickets/attack", headers) + hidden);
      const text = await caller.received((received) =>
        /\r\n\r\n/.test(received.replace(/^HTTP\/1.1 100.*\r\n\r\n/, "")),
      );
      if (text.includes("of the victim")) wrong.push(`the attacker received ${text}`);
      caller.hangUp();
    }
  };
  const visit = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      const text = await victimsAnswer(round);
      if (text !== `/api/orders?${round} for of the victim`) wrong.push(`the victim received ${text}`);
    }
  };
  await Promise.all([attack(), attack(), visit(), visit()]);
  expect(wrong).toEqual([]);
  expect(service.rubbish).toEqual([]);
  expect(service.requests.filter(({ target }) => target.includes("smuggle"))).toEqual([]);
  // The victim's requests shared the kept connections.
  const victims = service.requests.filter(({ target }) => target.startsWith("/api/orders"));
  expect(victims).toHaveLength(2 * ROUNDS);
  expect(new Set(victims.map(({ connection }) => connection)).size).toBeLessThan(ROUNDS);
}, 60_000);
