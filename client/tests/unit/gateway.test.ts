// @vitest-environment node
/** The gateway between real sockets: what goes in must come out, and a dead service must say so in our own words. */
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ANSWER_TIMEOUT_MS, forward } from "@/lib/server/gateway";
import { serve, unusedAddress } from "./servers";

let gateway: string;

beforeEach(async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  gateway = await serve((incoming, outgoing) => void forward(incoming, outgoing));
});

afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe("the gateway", () => {
  it("passes method, path, body, origin and cookies on, and status and cookies back", async () => {
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
      host: new URL(service).host,
      "x-forwarded-host": new URL(gateway).host,
      "x-forwarded-for": "127.0.0.1",
    });
  });

  it("appends the caller to a forwarding chain instead of trusting its end", async () => {
    let chain: unknown;
    const service = await serve((incoming, outgoing) => {
      chain = incoming.headers["x-forwarded-for"];
      outgoing.end();
    });
    vi.stubEnv("TICKETS_URL", service);
    await fetch(`${gateway}/api/tickets`, { headers: { "x-forwarded-for": "203.0.113.9" } });
    expect(chain).toBe("203.0.113.9, 127.0.0.1");
  });

  it("hands each event of a stream on at once and hangs up on the service when the browser does", async () => {
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

  it("answers 502 as problem+json when the service is down", async () => {
    vi.stubEnv("AUTH_URL", await unusedAddress());
    const response = await fetch(`${gateway}/api/users/currentuser`);
    expect(response.status).toBe(502);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("retry-after")).toBe("2");
    expect(await response.json()).toMatchObject({ status: 502, title: "Service unavailable" });
  });

  it("answers 504 when the service takes the request and then says nothing", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const silent = vi.fn();
    vi.stubEnv("TICKETS_URL", await serve(silent));
    const answer = fetch(`${gateway}/api/tickets`);
    await vi.waitFor(() => expect(silent).toHaveBeenCalled());
    vi.advanceTimersByTime(ANSWER_TIMEOUT_MS);
    const response = await answer;
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ status: 504, title: "Service too slow" });
  });

  it("names the missing variable when a service has no address", async () => {
    vi.stubEnv("PAYMENTS_URL", "");
    const response = await fetch(`${gateway}/api/payments/1`);
    expect(response.status).toBe(503);
    expect((await response.json()).detail).toContain("PAYMENTS_URL");
  });

  it.each(["/api/unknown", "/api/toString", "/api/ticketsx", "/api"])("knows no service for %s", async (path) => {
    expect((await fetch(gateway + path)).status).toBe(404);
  });

  it("survives a browser that goes away in the middle of its own request", async () => {
    const service = await serve((_incoming, outgoing) => outgoing.end());
    vi.stubEnv("TICKETS_URL", service);
    await new Promise<void>((resolve) => {
      const abandoned = request(`${gateway}/api/tickets`, { method: "POST", headers: { "content-length": "100" } });
      abandoned.once("error", () => {});
      abandoned.once("close", resolve);
      abandoned.write("only a part", () => abandoned.destroy());
    });
    expect((await fetch(`${gateway}/api/tickets`)).status).toBe(200);
  });
});
