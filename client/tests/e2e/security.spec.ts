/** What a page may load and run: our own scripts by nonce, the payment script, and nothing from anywhere else. */
import { expect, test } from "@playwright/test";
import { CARD, holdTicket, listTicket, newSeller, payWith, signUpIn, uniqueTitle } from "./marketplace";

test("pages load from us and from the payment script's origin only", async ({ page, context, baseURL }) => {
  const seller = await newSeller(baseURL);
  const ticket = await listTicket(seller, uniqueTitle("Closed doors"));
  await signUpIn(context, baseURL);
  const order = await holdTicket(context.request, ticket, { Origin: baseURL ?? "" });
  const origins = new Set<string>();
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http")) origins.add(origin);
  });
  for (const path of ["/", `/tickets/${ticket.id}`, "/sell", "/listings", "/orders"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
  const own = new URL(baseURL ?? "").origin;
  expect([...origins]).toEqual([own]);

  await page.goto(`/orders/${order.id}`);
  await payWith(page, CARD.works);
  await expect(page.getByText("The ticket is yours", { exact: true })).toBeVisible({ timeout: 20_000 });
  const policy = (await page.request.get("/")).headers()["content-security-policy"] ?? "";
  const allowed = policy.match(/script-src ([^;]*)/)?.[1]?.split(" ") ?? [];
  for (const origin of origins) expect([own, ...allowed]).toContain(origin);
  await seller.dispose();
});

test("each answer has a nonce of its own, and a script without it does not run", async ({ page }) => {
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
  // The same with the nonce runs: it is the policy that stopped the other.
  expect(await run(nonces[1] ?? "")).toBe(true);
});
