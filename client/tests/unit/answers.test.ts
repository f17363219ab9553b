/** Valid and invalid responses of a service, and what the caller receives; interrupted and too large uploads. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { BOUNDS, boundedServer } from "@/lib/server/bounds";
import { forward } from "@/lib/server/gateway";
import { FIRST_BYTES, MAX_HELD_BYTES } from "@/lib/server/requestBody";
import { serveWith } from "./servers";
import { RawCaller, RawService } from "./wire";

let gateway: string;
let service: RawService;

beforeEach(async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  service = await RawService.start();
  for (const variable of ["TICKETS_URL", "PAYMENTS_URL"]) vi.stubEnv(variable, service.address);
  gateway = await serveWith(boundedServer((incoming, outgoing) => void forward(incoming, outgoing), BOUNDS));
});

const get = (path = "/api/tickets", more = "") => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

/** All bytes of the response to one exchange, after which the gateway closes the connection. */
function answered(method: string, answer: string): Promise<string> {
  service.answer = () => answer;
  return new RawCaller(gateway)
    .send(`${method} /api/tickets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    .received();
}

describe("a response", () => {
  it("loses the headers of the connection with the service", async () => {
    const text = await answered(
      "GET",
      "HTTP/1.1 200 OK\r\nConnection: x-hop, keep-alive, content-length\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n" +
        "Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nServer: uvicorn\r\nX-Powered-By: x\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok",
    );
    expect(text).toMatch(/x-kept: 1\r\n/i);
    expect(text).not.toMatch(/x-hop|timeout=9|proxy-auth|upgrade|uvicorn|powered/i);
    expect(text).toMatch(/content-length: 2\r\n[\s\S]*\r\n\r\nok$/i);
  });

  it("gets new framing when the service sends both framings", async () => {
    const text = await answered(
      "GET",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    // Either the whole content with correct framing, or the service's response counts as invalid.
    if (text.startsWith("HTTP/1.1 200")) {
      expect(text).not.toMatch(/content-length/i);
      expect(text).toMatch(/5\r\nhello\r\n0\r\n\r\n$/);
    } else expect(text).toMatch(/^HTTP\/1.1 502/);
  });

  it("to HEAD has the length and no content", async () => {
    const text = await answered("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
    expect(text).toMatch(/content-length: 1234\r\n/i);
    expect(text).toMatch(/\r\n\r\n$/);
  });

  it.each([
    ["204", "204 No Content\r\n\r\n"],
    ["304", "304 Not Modified\r\nETag: a\r\nContent-Length: 9\r\n\r\n"],
    ["205", "205 Reset Content\r\nContent-Length: 0\r\n\r\n"],
  ])("with %s has no content", async (status, answer) => {
    const text = await answered("GET", `HTTP/1.1 ${answer}`);
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(text).toMatch(/\r\n\r\n$/);
    expect(text).not.toMatch(/transfer-encoding/i);
  });

  it("follows informational responses, which are not forwarded", async () => {
    const text = await answered(
      "GET",
      "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    expect(text).toMatch(/^HTTP\/1.1 200 OK/);
    expect(text).toMatch(/\r\n\r\nok$/);
  });

  it.each([
    [
      "switches protocols unasked",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nbytes",
    ],
    ["is no HTTP", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["has a header with a line break", "HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n"],
    ["has two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!"],
  ])("that %s is a 502", async (_name, answer) => {
    expect(await answered("GET", answer)).toMatch(/^HTTP\/1.1 502 [\s\S]*"Service unavailable"/);
  });

  it.each([
    ["by length", "Content-Length: 10\r\n\r\nhalf"],
    ["by chunks", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
  ])("that the service cuts short, framed %s, does not end as a whole one", async (_name, rest) => {
    service.answer = (received) =>
      received.target === "/api/tickets" ? `HTTP/1.1 200 OK\r\nConnection: close\r\n${rest}` : null;
    const caller = new RawCaller(gateway).send(get());
    await caller.received((text) => text.includes("half"));
    service.hangUp();
    expect(await caller.received()).toMatch(/half(\r\n)?$/);
  });

  it("followed by unrequested bytes is forwarded without them", async () => {
    service.answer = ({ target }) =>
      target.endsWith("first")
        ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden"
        : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext";
    for (let round = 0; round < 50; round++) {
      expect(await (await fetch(`${gateway}/api/tickets?first`)).text()).toBe("ok");
      const next = await fetch(`${gateway}/api/tickets?next`);
      // The gateway closes the connection when it finds the bytes, so the next request may fail.
      expect([200, 502]).toContain(next.status);
      expect(await next.text()).not.toContain("hidden");
    }
  });
});

describe("an upload", () => {
  const post = (length: number, path = "/api/tickets", more = "") =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n${more}\r\n`;

  it("that is interrupted reaches no service", async () => {
    for (const framing of ["Content-Length: 9", "Transfer-Encoding: chunked"]) {
      const caller = new RawCaller(gateway).send(`POST /api/tickets HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n2\r\nab`);
      caller.end();
      await caller.received();
    }
    expect(await (await fetch(`${gateway}/api/tickets`)).text()).toBe("/api/tickets for -");
    expect(service.requests).toHaveLength(1);
  });

  it("with a too large Content-Length is refused before it is sent", async () => {
    for (const [path, size] of [
      ["/api/tickets", 65_537],
      ["/api/payments/webhook", 262_145],
    ] as const) {
      expect(await new RawCaller(gateway).send(post(size, path)).status()).toBe(413);
    }
    expect(service.requests).toEqual([]);
  });

  it("of the maximum size passes, and one byte more does not, with and without Content-Length", async () => {
    for (const [size, status] of [
      [65_536, 200],
      [65_537, 413],
    ] as const) {
      const body = "a".repeat(size);
      expect((await fetch(`${gateway}/api/tickets`, { method: "POST", body })).status).toBe(status);
      const stream = new Blob([body]).stream();
      const response = await fetch(`${gateway}/api/tickets`, {
        method: "POST",
        body: stream,
        duplex: "half",
      } as RequestInit);
      expect(response.status).toBe(status);
      if (status === 413) {
        expect(response.headers.get("content-type")).toBe("application/problem+json");
        expect(await response.json()).toMatchObject({ detail: "At most 65,536 bytes are read." });
      }
    }
    expect(service.requests.map(({ body }) => body.length)).toEqual([65_536, 65_536]);
  });

  it("in chunks of one byte arrives completely", async () => {
    const body = "1\r\na\r\n".repeat(5_000);
    await new RawCaller(gateway)
      .send(`POST /api/tickets HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`)
      .status();
    expect(service.requests[0]?.body).toBe("a".repeat(5_000));
    expect(service.requests[0]?.headers["content-length"]).toBe("5000");
  });

  it("that is refused and still sent leaves the connection usable, unless it is endless", async () => {
    const caller = new RawCaller(gateway).send(post(200_000) + "a".repeat(200_000) + get("/api/tickets?after"));
    expect(await caller.received((text) => text.includes("?after for"))).toMatch(/^HTTP\/1.1 413/);
    const endless = new RawCaller(gateway).send(post(1_000_000_000) + "a".repeat(2_000_000));
    expect(await endless.received()).toMatch(/^HTTP\/1.1 413/); // returns because the gateway hangs up
  });

  it("is refused while long uploads fill the memory, unless it is short, and accepted again afterwards", async () => {
    const size = 262_144;
    const status = async (length: number) =>
      (await fetch(`${gateway}/api/tickets`, { method: "POST", body: "b".repeat(length) })).status;
    const slow = Array.from({ length: Math.floor(MAX_HELD_BYTES / (size - FIRST_BYTES)) }, () =>
      new RawCaller(gateway).send(post(size, "/api/payments/webhook", "Expect: 100-continue\r\n")),
    );
    await Promise.all(slow.map((caller) => caller.received((text) => text.includes("100 Continue"))));
    for (const caller of slow) caller.send("a".repeat(size - 1));
    await vi.waitFor(async () => expect(await status(65_536)).toBe(503), 10_000);
    expect(await status(FIRST_BYTES)).toBe(200);
    for (const caller of slow) caller.hangUp();
    await vi.waitFor(async () => expect(await status(65_536)).toBe(200), 10_000);
  });
});
