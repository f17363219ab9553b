/** The server's limits for slow, many and large requests, and its own error responses. */
import type { ServerResponse } from "node:http";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { BOUNDS, boundedServer } from "@/lib/server/bounds";
import { forward } from "@/lib/server/gateway";
import { serve, serveWith } from "./servers";
import { RawCaller } from "./wire";

const SHORT = { headersTimeout: 300, requestTimeout: 600, keepAliveTimeout: 200, connectionsCheckingInterval: 50 };

let gateway: string;

beforeEach(async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  gateway = await bounded({});
});

function bounded(more: Partial<typeof BOUNDS>): Promise<string> {
  return serveWith(
    boundedServer((incoming, outgoing) => void forward(incoming, outgoing), { ...BOUNDS, ...SHORT, ...more }),
  );
}

function expectGuarded(text: string, status: number): void {
  expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  for (const header of [
    /^x-content-type-options: nosniff\r$/im,
    /^referrer-policy: strict-origin-when-cross-origin\r$/im,
    /^content-security-policy: default-src 'self'; .*frame-ancestors 'none'\r$/im,
  ]) {
    expect(text).toMatch(header);
  }
  expect(text).not.toMatch(/powered-by/i);
}

describe("a caller", () => {
  it.each([
    ["sends nothing", ""],
    ["sends half a head", "GET / HTTP/1.1\r\nHost: x\r\nX-A:"],
    ["sends half a body", "POST /api/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"],
    ["sends half a chunk", "POST /api/tickets HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"],
  ])("that %s is answered 408 and hung up on", async (_name, sent) => {
    const service = vi.fn();
    vi.stubEnv("TICKETS_URL", await serve(service));
    expectGuarded(await new RawCaller(gateway).send(sent).received(), 408);
    expect(service).not.toHaveBeenCalled();
  });

  it("with an idle connection is disconnected", async () => {
    const text = await new RawCaller(gateway).send("GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n").received();
    expectGuarded(text, 404);
  });

  it.each([
    ["too long a head", `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${"a".repeat(17_000)}\r\n\r\n`, 431],
    ["too long an address", `GET /${"a".repeat(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ["no HTTP", "\x16\x03\x01\x02\x00\x01\r\n\r\n", 400],
    ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
  ])("that sends %s gets the matching status", async (_name, sent, status) => {
    const text = await new RawCaller(gateway).send(sent).received();
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    if (!sent.startsWith("GET / HTTP/1.1\r\n\r\n")) expectGuarded(text, status);
  });

  it("that reads a stream keeps it past every limit, and garbage sent meanwhile gets no response within it", async () => {
    const streams: ServerResponse[] = [];
    const service = await serve((_incoming, outgoing) => {
      outgoing.writeHead(200, { "content-type": "text/event-stream" }).write("id: 1\n\n");
      streams.push(outgoing);
    });
    vi.stubEnv("TICKETS_URL", service);
    const stream = "GET /api/tickets/stream HTTP/1.1\r\nHost: x\r\n\r\n";
    const [patient, rude] = [new RawCaller(gateway).send(stream), new RawCaller(gateway).send(stream)];
    for (const caller of [patient, rude]) await caller.received((text) => text.includes("id: 1"));
    const text = await rude.send("garbage\r\n\r\n").received();
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    // When others have exceeded a limit, its time has passed for the stream, too.
    for (let times = 0; times < 3; times++) {
      await new RawCaller(gateway)
        .send("POST /api/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        .received();
    }
    for (const one of streams) one.end("id: 2\n\n");
    expect(await patient.received()).toMatch(/id: 2\n\n\r\n0\r\n\r\n$/);
  });

  it("beyond the maximum number of connections is disconnected, and others are served when one has closed", async () => {
    const small = await bounded({ maxConnections: 3, headersTimeout: 10_000, requestTimeout: 10_000 });
    const held = [1, 2, 3].map(() => new RawCaller(small).send("GET "));
    const ask = () => new RawCaller(small).send("GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n").status();
    await vi.waitFor(async () => expect(await ask()).toBe(0));
    expect(console.error).toHaveBeenCalledWith("refusing connections: 3 are open");
    held[0]?.hangUp();
    await vi.waitFor(async () => expect(await ask()).toBe(404));
  });
});

it("sends Strict-Transport-Security only over TLS", async () => {
  const hsts = async (headers: Record<string, string>) =>
    (await fetch(`${gateway}/api/nothing`, { headers })).headers.get("strict-transport-security");
  expect(await hsts({})).toBeNull();
  expect(await hsts({ "x-forwarded-proto": "http" })).toBeNull();
  expect(await hsts({ "x-forwarded-proto": "https" })).toBe("max-age=31536000; includeSubDomains");
});

it("keeps a service's own security headers", async () => {
  const service = await serve((_incoming, outgoing) => {
    outgoing.writeHead(200, { "content-security-policy": "default-src 'none'" }).end();
  });
  vi.stubEnv("TICKETS_URL", service);
  const { headers } = await fetch(`${gateway}/api/tickets`);
  expect(headers.get("content-security-policy")).toBe("default-src 'none'");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
});
