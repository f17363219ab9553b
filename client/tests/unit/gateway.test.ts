/** The gateway between real sockets: forwarding in both directions, and problem+json for a service that is down. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ANSWER_TIMEOUT_MS, forward } from "@/lib/server/gateway";
import { serve, unusedAddress } from "./servers";
import { RawCaller } from "./wire";

let gateway: string;

beforeEach(async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  gateway = await serve((incoming, outgoing) => void forward(incoming, outgoing));
});

describe("the gateway", () => {
  it("forwards method, path, body, origin and cookies, and returns status and cookies", async () => {
    const seen: { request?: IncomingMessage; body?: string } = {};
    const service = await serve(async (incoming, outgoing) => {
      seen.request = incoming;
      seen.body = Buffer.concat(await incoming.toArray()).toString();
      outgoing
        .writeHead(201, { "set-cookie": ["session=a; HttpOnly", "other=b"], "x-request-id": "7" })
        .end('{"id":1}');
    });
    vi.stubEnv("ORDERS_URL", service);
    const response = await fetch(`${gateway}/api/orders?x=1&x=2`, {
      method: "POST",
      headers: { cookie: "session=old", origin: "http://shop.example", "content-type": "application/json" },
      body: '{"ticketId":"1"}',
    });
    expect(response.status).toBe(201);
    expect(response.headers.getSetCookie()).toEqual(["session=a; HttpOnly", "other=b"]);
    expect(response.headers.get("x-request-id")).toBe("7");
    expect(await response.text()).toBe('{"id":1}');
    expect(seen.body).toBe('{"ticketId":"1"}');
    expect(seen.request?.url).toBe("/api/orders?x=1&x=2");
    expect(seen.request?.headers).toMatchObject({
      cookie: "session=old",
      origin: "http://shop.example",
      host: new URL(gateway).host,
      "x-forwarded-host": new URL(gateway).host,
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
    });
  });

  it("forwards no hop-by-hop headers and all end-to-end headers", async () => {
    const own = {
      accept: "application/json",
      authorization: "Bearer a",
      cookie: "session=a",
      "idempotency-key": "k",
      "if-none-match": '"e"',
      "last-event-id": "7",
      origin: "http://shop.example",
      "sec-fetch-site": "same-origin",
      "stripe-signature": "t=1",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    const internal = {
      forwarded: "for=203.0.113.9",
      "x-envoy-expected-rq-timeout-ms": "0",
      "x-envoy-original-path": "/metrics",
      "x-forwarded-port": "1",
      "x-middleware-subrequest": "a",
      "x-original-url": "/metrics",
      "x-real-ip": "203.0.113.9",
    };
    let seen: IncomingMessage["headers"] = {};
    const service = await serve((incoming, outgoing) => {
      seen = incoming.headers;
      outgoing.end();
    });
    vi.stubEnv("TICKETS_URL", service);
    await fetch(`${gateway}/api/tickets`, { headers: { ...own, ...internal } });
    expect(seen).toMatchObject(own);
    const ours = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
    expect(Object.keys(seen).filter((name) => name.startsWith("x-") || name === "forwarded")).toEqual(ours);
  });

  it("passes the requested host to the services, so that their URLs contain no internal address", async () => {
    // As Starlette does: an absolute URL, made from the Host header.
    const service = await serve((incoming, outgoing) => {
      const { host, "x-forwarded-proto": scheme } = incoming.headers;
      outgoing.writeHead(307, { location: `${scheme}://${host}/api/tickets` }).end();
    });
    vi.stubEnv("TICKETS_URL", service);
    const text = await new RawCaller(gateway)
      .send("POST /api/tickets/ HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
      .received();
    expect(text).toMatch(/location: http:\/\/shop\.example\/api\/tickets\r\n/i);
    expect(text).not.toContain(new URL(service).port);
    // HTTP/1.0 allows a request without a host.
    expect(await new RawCaller(gateway).send("GET /api/tickets/ HTTP/1.0\r\n\r\n").status()).toBe(400);
  });

  it("forwards each event of a stream at once, and disconnects from the service when the browser disconnects", async () => {
    let stream: ServerResponse | undefined;
    const closed = new Promise<void>((resolve) => {
      void serve((_incoming, outgoing) => {
        stream = outgoing;
        outgoing.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
        outgoing.flushHeaders();
        outgoing.once("close", resolve);
      }).then((service) => vi.stubEnv("TICKETS_URL", service));
    });
    await vi.waitUntil(() => process.env.TICKETS_URL);
    const controller = new AbortController();
    const response = await fetch(`${gateway}/api/tickets/stream`, { signal: controller.signal });
    expect(response.headers.get("cache-control")).toBe("no-cache, no-transform");
    stream?.write("id: 1\n\n");
    const { value } = (await response.body?.getReader().read()) ?? {};
    expect(new TextDecoder().decode(value)).toBe("id: 1\n\n");
    controller.abort();
    await closed;
  });

  it("returns 502 as problem+json when the service is down", async () => {
    vi.stubEnv("AUTH_URL", await unusedAddress());
    const response = await fetch(`${gateway}/api/users/currentuser`);
    expect(response.status).toBe(502);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("retry-after")).toBe("2");
    expect(await response.json()).toMatchObject({ status: 502, title: "Service unavailable" });
  });

  it("returns 504 when the service accepts the request and does not respond", async () => {
    expect(ANSWER_TIMEOUT_MS).toBe(40_000);
    const hungUp = new Promise<void>((resolve) => {
      void serve((incoming) => void incoming.once("close", resolve)).then((silent) =>
        vi.stubEnv("TICKETS_URL", silent),
      );
    });
    await vi.waitUntil(() => process.env.TICKETS_URL);
    const hasty = await serve((incoming, outgoing) => void forward(incoming, outgoing, 200));
    const response = await fetch(`${hasty}/api/tickets`);
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ status: 504, title: "Service too slow" });
    await hungUp;
  });

  it("lets a stream be silent for longer than the response timeout", async () => {
    const service = await serve((_incoming, outgoing) => {
      outgoing.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      setTimeout(() => outgoing.end("id: 1\n\n"), 1_500);
    });
    vi.stubEnv("TICKETS_URL", service);
    const hasty = await serve((incoming, outgoing) => void forward(incoming, outgoing, 200));
    expect(await (await fetch(`${hasty}/api/tickets/stream`)).text()).toBe("id: 1\n\n");
  });

  it("names the missing variable when a service has no address", async () => {
    vi.stubEnv("PAYMENTS_URL", "");
    const response = await fetch(`${gateway}/api/payments/1`);
    expect(response.status).toBe(503);
    expect((await response.json()).detail).toContain("PAYMENTS_URL");
  });

  it.each(["/api/unknown", "/api/toString", "/api/ticketsx", "/api", "/metrics", "/api/../metrics", "//api/tickets"])(
    "knows no service for %s",
    async (path) => {
      expect(await new RawCaller(gateway).send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).status()).toBe(404);
    },
  );

  it("lets the service stop when the browser disconnects before the response", async () => {
    const begun = vi.fn();
    const hungUp = new Promise<void>((resolve) => {
      void serve((_incoming, outgoing) => {
        outgoing.once("close", resolve);
        begun();
      }).then((service) => vi.stubEnv("TICKETS_URL", service));
    });
    await vi.waitUntil(() => process.env.TICKETS_URL);
    const caller = new RawCaller(gateway).send("GET /api/tickets HTTP/1.1\r\nHost: x\r\n\r\n");
    await vi.waitFor(() => expect(begun).toHaveBeenCalled());
    caller.hangUp();
    await hungUp;
  });
});
