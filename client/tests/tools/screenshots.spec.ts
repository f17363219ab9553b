/** Takes docs/screenshots: every page in both widths and both colour schemes, with the demo data of a fresh stack. */
import { join } from "node:path";
import { type APIRequestContext, type Browser, expect, type Page } from "@playwright/test";
import {
  CARD,
  holdTicket,
  listTicket,
  newPerson,
  OWN_ORIGIN,
  payFor,
  payWith,
  signUpIn,
  test,
} from "../e2e/marketplace";

const FOLDER = join(import.meta.dirname, "..", "..", "..", "docs", "screenshots");

const VARIANTS = [
  { name: "phone-light", viewport: { width: 390, height: 844 }, colorScheme: "light" },
  { name: "phone-dark", viewport: { width: 390, height: 844 }, colorScheme: "dark" },
  { name: "desktop-light", viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  { name: "desktop-dark", viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
] as const;

/** One signed-in reader for all variants, so that every screenshot shows the same orders and listings. */
async function seedData(browser: Browser, seller: APIRequestContext, rival: APIRequestContext) {
  const context = await browser.newContext();
  await signUpIn(context, { ...newPerson("reader"), email: "robin@example.com" });
  const held = await listTicket(seller, "Nocturnes by candlelight", 42);
  const bought = await listTicket(seller, "The Marriage of Figaro", 68.5, undefined, 20);
  const several = await listTicket(seller, "Open air: strings at sunset", 35, undefined, 20);
  const dropped = await listTicket(seller, "Saturday matinée", 19);
  const taken = await listTicket(seller, "Midnight jazz at the harbour", 24);
  await listTicket(seller, "Midnight jazz at the harbour, balcony", 21);
  await holdTicket(rival, taken);
  await holdTicket(rival, several, 8);

  const page = await context.newPage();
  const order = await holdTicket(context.request, bought, 3);
  await page.goto(`/orders/${order.id}`);
  await payWith(page, CARD.works);
  await expect(page.getByRole("region", { name: "Receipt" })).toBeVisible({ timeout: 20_000 });
  const cancelled = await holdTicket(context.request, dropped);
  await context.request.delete(`/api/orders/${cancelled.id}`, { headers: OWN_ORIGIN });
  const open = await holdTicket(context.request, held);

  const mine = [];
  for (const [title, price] of [
    ["Brass in the park", 12],
    ["Poetry slam final", 9.5],
    ["Winter ballet", 55],
  ] as const) {
    const data = { title, price, venue: "Old Mint", startsAt: "2999-06-01T19:30:00Z" };
    mine.push(await (await context.request.post("/api/tickets", { data, headers: OWN_ORIGIN })).json());
  }
  const sale = { title: "Summer choir", price: 15, venue: "Old Mint", startsAt: "2999-06-01T19:30:00Z", quantity: 40 };
  const mineSeveral = await (await context.request.post("/api/tickets", { data: sale, headers: OWN_ORIGIN })).json();
  const [first, second, third] = mine;
  await holdTicket(rival, second);
  await holdTicket(rival, mineSeveral, 4);
  const sold = await holdTicket(rival, third);
  await payFor(rival, sold);
  await expect
    .poll(async () => (await (await rival.get(`/api/tickets/${third.id}`)).json()).status, { timeout: 20_000 })
    .toBe("sold");
  const state = await context.storageState();
  await context.close();
  return { state, held, taken, several, open, done: order, cancelled, mine: first, mineSeveral };
}

test("screenshots", async ({ browser, seller, buyer }) => {
  test.setTimeout(300_000);
  const { state, held, taken, several, open, done, cancelled, mine, mineSeveral } = await seedData(
    browser,
    seller,
    buyer,
  );
  const signedOut: Record<string, string> = {
    browse: "/",
    "nothing-found": "/?q=zeppelin",
    ticket: `/tickets/${mine.id}`,
    "sign-in": "/signin?returnTo=%2Fsell",
    "sign-up": "/signup",
    "forgot-password": "/forgot-password",
    "reset-password": "/reset-password#token=none",
    "not-found": "/nowhere",
  };
  const signedIn: Record<string, string> = {
    "ticket-seats": `/tickets/${several.id}?quantity=3`,
    "ticket-held": `/tickets/${taken.id}`,
    "ticket-own-hold": `/tickets/${held.id}`,
    "ticket-own": `/tickets/${mine.id}`,
    edit: `/tickets/${mine.id}/edit`,
    "edit-seats": `/tickets/${mineSeveral.id}/edit`,
    order: `/orders/${open.id}`,
    "order-complete": `/orders/${done.id}`,
    "order-cancelled": `/orders/${cancelled.id}`,
    orders: "/orders",
    listings: "/listings",
    sell: "/sell",
    sales: `/tickets/${mineSeveral.id}/sales`,
    checkin: `/checkin/${mineSeveral.id}`,
    account: "/account",
  };
  for (const { name, viewport, colorScheme } of VARIANTS) {
    for (const [pages, storageState] of [
      [signedOut, undefined],
      [signedIn, state],
    ] as const) {
      const context = await browser.newContext({ viewport, colorScheme, ...(storageState && { storageState }) });
      const page = await context.newPage();
      for (const [what, path] of Object.entries(pages)) await take(page, path, what, name);
      await context.close();
    }
  }
});

/** Text that a page loads after it is shown. */
const LATE: Record<string, string> = {
  "ticket-held": "Other tickets",
  "ticket-own-hold": "You hold this ticket.",
  checkin: "Connected to the server.",
};

async function take(page: Page, path: string, what: string, variant: string): Promise<void> {
  await page.goto(path);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  const late = LATE[what];
  if (late) await expect(page.getByText(late)).toBeVisible();
  await page.screenshot({ path: join(FOLDER, `${what}-${variant}.png`), animations: "disabled" });
}
