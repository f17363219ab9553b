/** Which calls are repeated, against a real server that refuses, disconnects and recovers. */
import type { IncomingMessage, RequestListener } from "node:http";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Api, createApi } from "@/lib/api/client";
import { ApiError } from "@/lib/api/errors";
import { RetryBudget, type RetryPolicy } from "@/lib/api/retry";
import { serve } from "./servers";

const QUICK: RetryPolicy = { attempts: 3, firstDelayMs: 10, longestDelayMs: 1_500, withinMs: 5_000 };
const TICKETS: RequestListener = (_request, answer) => void answer.writeHead(200).end("[]");

let requests: IncomingMessage[];

beforeEach(() => {
  requests = [];
});

/** An API on a server that handles the requests with these listeners in order, and repeats the last one. */
async function served(answers: RequestListener[], retryPolicy = QUICK, budget = new RetryBudget()): Promise<Api> {
  const address = await serve((request, answer) => {
    requests.push(request);
    answers[Math.min(requests.length, answers.length) - 1]?.(request, answer);
  });
  return createApi((path, init) => fetch(address + path, init), { retryPolicy, budget });
}

const hangUp: RequestListener = (request) => void request.socket.destroy();

function refuse(status: number, { retryAfter, title = "No" }: { retryAfter?: string; title?: string } = {}) {
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (retryAfter) headers["retry-after"] = retryAfter;
  const body = JSON.stringify({ type: "about:blank", title, status, errors: [] });
  return ((_request, answer) => void answer.writeHead(status, headers).end(body)) satisfies RequestListener;
}

async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "no failure",
    (error) => (error instanceof ApiError ? error.status : error),
  );
}

describe("a call that is safe to repeat", () => {
  it.each([
    ["disconnected", hangUp],
    ["answered 502", refuse(502)],
    ["answered 503", refuse(503, { retryAfter: "0" })],
  ])("succeeds after it was %s twice", async (_what, broken) => {
    const api = await served([broken, broken, TICKETS]);
    expect((await api.listTickets({})).items).toEqual([]);
    expect(requests).toHaveLength(3);
  });

  it("fails after three attempts with the last error", async () => {
    const api = await served([refuse(502), refuse(502), refuse(503)]);
    expect(await failure(api.listTickets({}))).toBe(503);
    expect(requests).toHaveLength(3);
  });

  it.each([400, 401, 404, 409, 422, 429, 500, 504])("is not repeated after %i", async (status) => {
    const api = await served([refuse(status)]);
    expect(await failure(api.listTickets({}))).toBe(status);
    expect(requests).toHaveLength(1);
  });

  it("waits for the time in Retry-After", async () => {
    const api = await served([refuse(503, { retryAfter: "1" }), TICKETS]);
    const begun = performance.now();
    await api.listTickets({});
    expect(performance.now() - begun).toBeGreaterThanOrEqual(990);
  });

  it("is not repeated when Retry-After is too long", async () => {
    const api = await served([refuse(503, { retryAfter: "30" })]);
    expect(await failure(api.listTickets({}))).toBe(503);
    expect(requests).toHaveLength(1);
  });

  it("is not repeated when the repeated call would start too late", async () => {
    const api = await served([refuse(503, { retryAfter: "1" })], { ...QUICK, withinMs: 900 });
    expect(await failure(api.listTickets({}))).toBe(503);
    expect(requests).toHaveLength(1);
  });

  it("is not repeated after the reader has left the page", async () => {
    const api = await served([refuse(503, { retryAfter: "1" }), TICKETS]);
    const leaving = new AbortController();
    const call = api.listTickets({}, leaving.signal);
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    leaving.abort();
    expect(await failure(call)).toMatchObject({ name: "AbortError" });
    expect(requests).toHaveLength(1);
  });
});

describe("a call that changes something", () => {
  it("is repeated with the same idempotency key", async () => {
    const api = await served([
      hangUp,
      refuse(409, { title: "Still running" }),
      (_request, answer) => void answer.writeHead(201).end('{"id":"7"}'),
    ]);
    expect((await api.createOrder({ ticketId: "1" }, "key")).id).toBe("7");
    expect(requests.map((request) => request.headers["idempotency-key"])).toEqual(["key", "key", "key"]);
  });

  it.each([
    ["signing in", (api: Api) => api.signIn({ email: "a@b.example", password: "" })],
    ["cancelling", (api: Api) => api.cancelOrder("1")],
    ["refreshing a payment", (api: Api) => api.refreshPayment("1")],
  ])("is not repeated without a key: %s", async (_what, call) => {
    const api = await served([hangUp]);
    expect(await failure(call(api))).toBe(0);
    expect(requests).toHaveLength(1);
  });
});

describe("an outage", () => {
  it("is not multiplied by retries", async () => {
    const api = await served([refuse(503)]);
    for (let reader = 0; reader < 30; reader++) expect(await failure(api.listTickets({}))).toBe(503);
    expect(requests.length).toBe(30 + 10);
  });

  it("is followed by one retry for every ten successful calls", async () => {
    const budget = new RetryBudget(1, 10);
    const api = await served(
      [refuse(503), refuse(503), ...Array(10).fill(TICKETS), refuse(503), TICKETS],
      QUICK,
      budget,
    );
    expect(await failure(api.listTickets({}))).toBe(503);
    expect(requests).toHaveLength(2);
    for (let reader = 0; reader < 11; reader++) await api.listTickets({});
    expect(requests).toHaveLength(2 + 10 + 2);
  });
});
