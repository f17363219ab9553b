/** What a page may load and run: our own scripts by nonce, the payment script, and nothing from anywhere else. */
import { connect } from "node:net";
import { expect } from "@playwright/test";
import { BASE_URL, CARD, holdTicket, listTicket, payWith, signUpIn, test, uniqueTitle } from "./marketplace";

test("pages load from us and from the payment script's origin only", async ({ page, context, seller }) => {
  const ticket = await listTicket(seller, uniqueTitle("Closed doors"));
  await signUpIn(context);
  const order = await holdTicket(context.request, ticket);
  const origins = new Set<string>();
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http")) origins.add(origin);
  });
  for (const path of ["/", `/tickets/${ticket.id}`, "/sell", "/listings", "/orders"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
  const own = new URL(BASE_URL).origin;
  expect([...origins]).toEqual([own]);

  await page.goto(`/orders/${order.id}`);
  await payWith(page, CARD.works);
  await expect(page.getByText("The ticket is yours", { exact: true })).toBeVisible({ timeout: 20_000 });
  const policy = (await page.request.get("/")).headers()["content-security-policy"] ?? "";
  const allowed = policy.match(/script-src ([^;]*)/)?.[1]?.split(" ") ?? [];
  for (const origin of origins) expect([own, ...allowed]).toContain(origin);
});

test("each response has its own nonce, and a script without it does not run", async ({ page }) => {
  const nonces = [];
  for (let visit = 0; visit < 2; visit++) {
    const response = await page.goto("/");
    const nonce = response?.headers()["content-security-policy"]?.match(/'nonce-([^']+)'/)?.[1];
    expect(nonce).toBeTruthy();
    const scripts = await page
      .locator("script[src]")
      .evaluateAll((all) => all.map((one) => (one as HTMLElement).nonce));
    // Chunks that a nonced script loads later come from our own origin and need none.
    expect(scripts.filter(Boolean).every((used) => used === nonce)).toBe(true);
    expect(scripts.filter(Boolean).length).toBeGreaterThan(0);
    nonces.push(nonce);
  }
  expect(nonces[0]).not.toBe(nonces[1]);

  const run = (nonce: string) =>
    page.evaluate((given) => {
      const script = document.createElement("script");
      if (given) script.nonce = given;
      script.textContent = "window.injected = true";
      document.head.append(script);
      const ran = "injected" in window;
      Reflect.deleteProperty(window, "injected");
      return ran;
    }, nonce);
  expect(await run("")).toBe(false);
  // The same script runs with the nonce, so the policy blocked the other.
  expect(await run(nonces[1] ?? "")).toBe(true);
});

test("the page for an unknown address runs its scripts, and the browser reports no violation", async ({ page }) => {
  const problems: string[] = [];
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) problems.push(message.text());
  });
  for (const path of ["/nowhere", "/tickets/aaaaaaaaaaaaaaaaaaaaaaaa", "/500"]) {
    const response = await page.goto(path);
    expect(response?.status()).toBe(404);
    await expect(page.getByRole("heading", { level: 1, name: "Page not found" })).toBeVisible();
    // Only Next's script defines it, so the page is hydrated.
    await page.waitForFunction(() => "next" in window);
  }
  expect(problems).toEqual([]);
});

/** The bytes of a response; the server closes the connection after it. */
function exchange(bytes: string): Promise<string> {
  const { hostname, port } = new URL(BASE_URL);
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ""));
    socket.setEncoding("latin1");
    socket.on("data", (data) => (text += data));
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
    socket.write(bytes);
  });
}

test("every response has the security headers, whichever part of the server sends it", async ({ page }) => {
  const script = (await (await page.request.get("/")).text()).match(/\/_next\/static\/[^"]+\.js/)?.[0];
  const bare = "Host: x\r\nConnection: close\r\nX-Forwarded-Proto: https\r\n\r\n";
  const requests = [
    ...["/", "/nowhere", "/404", "/500", "/icon.svg", "/%E0%A4%A", "//double", "/_next/data/x/y.json", "/tickets/none"],
    ...[
      "/_next/image?url=/icon.svg&w=64&q=75",
      "/api",
      "/api/nowhere",
      "/api/tickets",
      script ?? "no script on the page",
    ],
  ].map((path) => `GET ${path} HTTP/1.1\r\n${bare}`);
  requests.push(`POST / HTTP/1.1\r\n${bare}`, `PUT /icon.svg HTTP/1.1\r\n${bare}`, "garbage\r\n\r\n");
  requests.push(`GET / HTTP/1.1\r\nX-A: ${"a".repeat(17_000)}\r\n${bare}`);
  for (const bytes of requests) {
    const answer = await exchange(bytes);
    const head = answer.slice(0, answer.indexOf("\r\n\r\n"));
    const about = `${bytes.split("\r\n")[0]}\n${head}`;
    expect(head, about).toMatch(/^content-security-policy: .*frame-ancestors 'none'/im);
    expect(head, about).toMatch(/^x-content-type-options: nosniff/im);
    expect(head, about).toMatch(/^referrer-policy: (strict-origin|no-referrer)/im);
    expect(head, about).not.toMatch(/^(x-powered-by|server):/im);
    // If Node cannot parse the request, it does not know the scheme.
    if (!/^HTTP\/1.1 4(00|31) [\s\S]*problem/.test(head)) {
      expect(head, about).toMatch(/^strict-transport-security: max-age=31536000/im);
    }
  }
});

test("a request hidden in another one's body stays a body", async ({ seller }) => {
  const { cookies } = await seller.storageState();
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  const title = uniqueTitle("Hidden");
  const body = JSON.stringify({ title, price: 10 });
  const hidden =
    `POST /api/tickets HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\nOrigin: ${BASE_URL}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  for (const method of ["DELETE", "OPTIONS", "GET", "HEAD"]) {
    for (const [headers, content] of [
      ["Connection: close\r\nTransfer-Encoding: chunked", `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`],
      [`Connection: close, content-length\r\nContent-Length: ${hidden.length}`, hidden],
    ]) {
      const head = `${method} /api/tickets/aaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`;
      // OPTIONS is a 204 with the methods of the path.
      expect(await exchange(head + content)).toMatch(/^HTTP\/1\.1 (4|204)/);
    }
  }
  expect(await (await seller.get("/api/tickets/mine")).text()).not.toContain(title);
  // The same request on its own creates the listing, so it was only read as a body before.
  expect(await exchange(hidden.replace("Host: x", "Host: x\r\nConnection: close"))).toMatch(/^HTTP\/1\.1 201/);
  expect(await (await seller.get("/api/tickets/mine")).text()).toContain(title);
});
