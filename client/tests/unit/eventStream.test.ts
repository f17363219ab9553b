// @vitest-environment jsdom
/** A stream over a real socket that ends, refuses, or is silent. */
import type { RequestListener, ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { currentConnection } from "@/lib/live/connection";
import { openEventStream } from "@/lib/live/eventStream";
import { serve } from "./servers";

let address: string;
let answers: RequestListener[];
let lastEventIds: (string | undefined)[];
let close: (() => void) | undefined;

beforeEach(async () => {
  answers = [];
  lastEventIds = [];
  address = await serve((request, response) => {
    lastEventIds.push(request.headers["last-event-id"] as string | undefined);
    const answer = answers.shift() ?? ((_request, open) => void open.writeHead(200).flushHeaders());
    answer(request, response);
  });
  // The shortest delays.
  vi.spyOn(Math, "random").mockReturnValue(0);
});

afterEach(() => {
  close?.();
  close = undefined;
});

function subscribe(pollMs = 60_000) {
  const handlers = { onEvent: vi.fn(), onPoll: vi.fn(), onRefused: vi.fn(), pollMs };
  close = openEventStream(address, handlers);
  return handlers;
}

const event = (id: number) => `event: ticket.updated\nid: ${id}\ndata: {}\n\n`;

describe("an event stream", () => {
  it("resumes after its end from the last received event", async () => {
    answers = [(_request, response) => void response.writeHead(200).end(event(7) + event(8))];
    const { onEvent } = subscribe();
    await vi.waitUntil(() => lastEventIds.length === 2, { timeout: 10_000 });
    expect(lastEventIds).toEqual([undefined, "8"]);
    expect(onEvent.mock.calls.map(([received]) => received.id)).toEqual(["7", "8"]);
  });

  it("keeps its position while the service is down", async () => {
    answers = [
      (_request, response) => void response.writeHead(200).end(event(7)),
      (_request, response) => void response.writeHead(503).end(),
      (request) => void request.socket.destroy(),
    ];
    subscribe();
    await vi.waitUntil(() => lastEventIds.length === 4, { timeout: 15_000 });
    expect(lastEventIds).toEqual([undefined, "7", "7", "7"]);
  }, 20_000);

  it("polls while it is disconnected, and reports that", async () => {
    answers = Array.from({ length: 20 }, () => (_request, response) => void response.writeHead(503).end());
    const { onPoll } = subscribe(50);
    await vi.waitUntil(() => onPoll.mock.calls.length > 1 && currentConnection() === "interrupted", {
      timeout: 10_000,
    });
    answers = [];
    await vi.waitUntil(() => currentConnection() === "current", { timeout: 20_000 });
    const polled = onPoll.mock.calls.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(onPoll.mock.calls.length).toBe(polled);
  }, 30_000);

  it.each([401, 403])("does not reconnect after a %i", async (status) => {
    answers = [(_request, response) => void response.writeHead(status).end()];
    const { onRefused } = subscribe();
    await vi.waitUntil(() => onRefused.mock.calls.length > 0, { timeout: 10_000 });
    expect(onRefused).toHaveBeenCalledWith(status);
    expect(currentConnection()).toBe("current");
  });

  it("closes the connection when it has no listener", async () => {
    const stream: { open?: ServerResponse; closed: boolean } = { closed: false };
    answers = [
      (_request, response) => {
        stream.open = response.once("close", () => {
          stream.closed = true;
        });
        response.writeHead(200).flushHeaders();
      },
    ];
    subscribe();
    await vi.waitUntil(() => stream.open !== undefined, { timeout: 10_000 });
    close?.();
    await vi.waitUntil(() => stream.closed, { timeout: 10_000 });
  });
});
