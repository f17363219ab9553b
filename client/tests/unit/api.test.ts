/** The API client: its requests, and how it reads responses and problems. */
import { describe, expect, it } from "vitest";
import { createApi, type Transport } from "@/lib/api/client";
import { ApiError } from "@/lib/api/errors";
import { nextCursor } from "@/lib/api/paging";

function answering(
  body: unknown,
  init: ResponseInit = {},
): { transport: Transport; requests: [string, RequestInit][] } {
  const requests: [string, RequestInit][] = [];
  const transport: Transport = async (path, request) => {
    requests.push([path, request]);
    return new Response(body === undefined ? null : JSON.stringify(body), init);
  };
  return { transport, requests };
}

const problem = (status: number, body: object) =>
  answering(
    { type: "about:blank", status, ...body },
    { status, headers: { "content-type": "application/problem+json" } },
  );

async function refusal(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => null,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

describe("the API client", () => {
  it("leaves empty filters out and reads the next cursor from the Link header", async () => {
    const { transport, requests } = answering([], { headers: { link: '</api/tickets?q=a&cursor=x%2By>; rel="next"' } });
    const page = await createApi(transport).listTickets({ q: "a b", minPrice: "", sort: "newest" });
    expect(requests[0]?.[0]).toBe("/api/tickets?q=a+b&sort=newest");
    expect(page.next).toBe("x+y");
  });

  it("turns problem+json into field errors", async () => {
    const errors = [
      { field: "price", message: "Too low" },
      { field: "body.title", message: "Too long" },
      { message: "Hm" },
    ];
    const error = await refusal(createApi(problem(422, { title: "Invalid", errors }).transport).getTicket("1"));
    expect(error.status).toBe(422);
    expect(error.message).toBe("Invalid");
    expect(error.fieldErrors).toEqual({ price: "Too low", title: "Too long" });
    expect(error.generalErrors(["price", "title"])).toEqual([]);
    expect(error.generalErrors(["price"])).toEqual(["title: Too long"]);
    expect(new ApiError(409, { type: "", title: "In use", status: 409, errors: [] }).generalErrors(["price"])).toEqual([
      "In use",
    ]);
  });

  it("never shows a proxy's HTML", async () => {
    const transport: Transport = async () =>
      new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "retry-after": "3" } });
    const error = await refusal(createApi(transport).getOrder("1"));
    expect(error.message).not.toContain("<");
    expect(error.retryAfter).toBe(3);
    expect(error.outcomeUnknown).toBe(true);
  });

  it("distinguishes a conflict with the own first call from a conflict with another user", async () => {
    const own = await refusal(
      createApi(problem(409, { title: "Still running" }).transport).createOrder({ ticketId: "1" }, "k"),
    );
    const lost = await refusal(
      createApi(problem(409, { title: "Ticket already held" }).transport).createOrder({ ticketId: "1" }, "k"),
    );
    expect([own.outcomeUnknown, lost.outcomeUnknown]).toEqual([true, false]);
  });

  it("reports a missing or incomplete response as an unknown outcome", async () => {
    const dead = await refusal(createApi(() => Promise.reject(new TypeError("fetch failed"))).getOrder("1"));
    const cut = await refusal(createApi(async () => new Response('{"id":')).getOrder("1"));
    expect([dead.status, cut.status]).toEqual([0, 0]);
    expect(dead.outcomeUnknown).toBe(true);
  });
});

describe("the Link header", () => {
  it.each([
    [null, null],
    ['</api/tickets?cursor=a>; rel="prev"', null],
    ['</api/tickets?cursor=a>; rel="prev", </api/tickets?cursor=b>; rel="next"', "b"],
    ["</api/tickets?limit=2&cursor=c>; rel=next", "c"],
  ])("%s gives %s", (header, cursor) => expect(nextCursor(header)).toBe(cursor));
});
