/** Server-rendered pages while a service is down, hangs or is busy: rendered in time without it, and complete again afterwards. */
import type { IncomingMessage, RequestListener } from "node:http";
import { request } from "node:http";
import type { ParsedUrlQuery } from "node:querystring";
import type { GetServerSideProps } from "next";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Page } from "@/lib/api/client";
import { getServerSideProps as browse } from "@/pages/index";
import { getServerSideProps as orders } from "@/pages/orders/index";
import { serve, unusedAddress } from "./servers";

const TICKETS: RequestListener = (_request, answer) => void answer.writeHead(200).end("[]");
const USER: RequestListener = (_request, answer) =>
  void answer
    .writeHead(200, { "set-cookie": "session=renewed" })
    .end('{"currentUser":{"id":"1","email":"a@b.example"}}');
const hang: RequestListener = () => {};
const busy: RequestListener = (_request, answer) => void answer.writeHead(503, { "retry-after": "5" }).end();
const hangUp: RequestListener = (request) => void request.socket.destroy();

interface Shown {
  status: number;
  cookies: string[] | undefined;
  props?: { failure?: { status: number }; user?: object | null; tickets?: Page<object> };
}

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.stubEnv("PAGE_TIMEOUT_SECONDS", "0.3");
});

/** The result of the page's getServerSideProps for a real request. */
async function shown(getProps: GetServerSideProps, cookie = "", query: ParsedUrlQuery = {}): Promise<Shown> {
  const result = vi.fn();
  const address = await serve(async (req, res) => {
    result(await getProps({ req: Object.assign(req, { cookies: {} }), res, query, resolvedUrl: "/" }));
    res.end();
  });
  const { statusCode, headers } = await new Promise<IncomingMessage>((resolve, reject) =>
    request(address, { headers: cookie ? { cookie } : {} }, (answer) => {
      answer.resume();
      resolve(answer);
    })
      .once("error", reject)
      .end(),
  );
  return { status: statusCode ?? 0, cookies: headers["set-cookie"], ...result.mock.lastCall?.[0] };
}

it("sends the service its timeout, so that the service can stop then", async () => {
  let received: unknown;
  const service = await serve((incoming, answer) => {
    received = incoming.headers["x-envoy-expected-rq-timeout-ms"];
    answer.writeHead(200).end("[]");
  });
  vi.stubEnv("TICKETS_URL", service);
  await shown(browse);
  expect(received).toBe("300");
});

it("restores several pages of the list with the requests that loaded them, which the service may have in memory", async () => {
  const asked: (string | undefined)[] = [];
  const service = await serve((incoming, answer) => {
    const page = asked.push(incoming.url);
    const items = Array.from({ length: 20 }, (_, place) => ({ id: `${page}-${place}` }));
    answer.writeHead(200, { link: `</api/tickets?cursor=after-${page}>; rel="next"` }).end(JSON.stringify(items));
  });
  vi.stubEnv("TICKETS_URL", service);
  vi.stubEnv("PAGE_TIMEOUT_SECONDS", "60");

  const { props } = await shown(browse, "", { pages: "3" });

  const first = "/api/tickets?sort=newest";
  expect(asked).toEqual([first, `${first}&cursor=after-1`, `${first}&cursor=after-2`]);
  expect(props?.tickets?.items).toHaveLength(60);
  expect(props?.tickets?.next).toBe("after-3");
});

describe("a page whose service", () => {
  it.each([
    ["is down", async () => unusedAddress(), 502],
    ["hangs", async () => serve(hang), 504],
    ["is busy", async () => serve(busy), 503],
  ])("%s is shown with the failure, and whole once it is back", async (_what, broken, status) => {
    vi.stubEnv("TICKETS_URL", await broken());
    const without = await shown(browse);
    expect(without.status).toBe(status);
    expect(without.props?.failure?.status).toBe(status);

    vi.stubEnv("TICKETS_URL", await serve(TICKETS));
    const whole = await shown(browse);
    expect(whole.status).toBe(200);
    expect(whole.props).toMatchObject({ tickets: { items: [] } });
  });

  it("disconnects once, as during a roll-out, is still complete", async () => {
    let requests = 0;
    const replaced: RequestListener = (...exchange) => (++requests === 1 ? hangUp : TICKETS)(...exchange);
    vi.stubEnv("TICKETS_URL", await serve(replaced));
    expect((await shown(browse)).status).toBe(200);
    expect(requests).toBe(2);
  });
});

describe("while auth hangs", () => {
  beforeEach(async () => {
    vi.stubEnv("AUTH_URL", await serve(hang));
    vi.stubEnv("TICKETS_URL", await serve(TICKETS));
    vi.stubEnv("ORDERS_URL", await serve(TICKETS));
  });

  it("browsing works as if signed out", async () => {
    const page = await shown(browse, "session=x");
    expect(page).toMatchObject({ status: 200, props: { user: null } });
  });

  it("a page that needs the user shows a failure, and is complete once auth is back", async () => {
    expect(await shown(orders, "session=x")).toMatchObject({ status: 504, props: { failure: { status: 504 } } });

    vi.stubEnv("AUTH_URL", await serve(USER));
    const page = { status: 200, cookies: ["session=renewed"], props: { user: { id: "1" } } };
    expect(await shown(orders, "session=x")).toMatchObject(page);
  });
});
