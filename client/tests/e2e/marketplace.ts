/** Test data for the browser tests, made through the public API: accounts, listings and orders. */
import { randomBytes } from "node:crypto";
import {
  type APIRequestContext,
  type BrowserContext,
  test as base,
  expect,
  type Page,
  request,
} from "@playwright/test";
import type { Order, Pass, Ticket } from "@/lib/api/types";

/** The address of the product. */
export const BASE_URL = process.env.BASE_URL ?? "";

/** The services accept a cookie only together with our own Origin. */
export const OWN_ORIGIN = { Origin: BASE_URL };

interface Accounts {
  /** The API sessions of two new accounts. */
  seller: APIRequestContext;
  buyer: APIRequestContext;
}

export const test = base.extend<Accounts>({
  seller: ({ baseURL }, use) => withAccount(baseURL, use),
  buyer: ({ baseURL }, use) => withAccount(baseURL, use),
});

async function withAccount(baseURL: string | undefined, use: (api: APIRequestContext) => Promise<void>): Promise<void> {
  const api = await request.newContext({ baseURL: baseURL ?? "", extraHTTPHeaders: OWN_ORIGIN });
  await signUp(api, newPerson("person"));
  await use(api);
  await api.dispose();
}

export interface Person {
  email: string;
  password: string;
}

/**
 * The timeout for live updates. Streams deliver them at once; on a busy machine, or without streams (pages poll then),
 * they take longer.
 */
export const LIVE_UPDATE = { timeout: 30_000 };

/** A person with a new e-mail address, so that tests can run again on the same data. */
export function newPerson(role: string): Person {
  const unique = randomBytes(6).toString("hex");
  return { email: `${role}-${unique}@example.com`, password: randomBytes(12).toString("base64url") };
}

/** A title that no other test run uses. */
export function uniqueTitle(event: string): string {
  return `${event} ${randomBytes(4).toString("hex")}`;
}

/** Signs up a new account in this browser, without its pages. */
export async function signUpIn(context: BrowserContext, person = newPerson("person")): Promise<Person> {
  await signUp(context.request, person);
  return person;
}

/** Fills the sign-in page, which is open, and sends it. */
export async function signIn(page: Page, { email, password }: Person): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function signUp(api: APIRequestContext, data: Person): Promise<void> {
  const response = await api.post("/api/users/signup", { data, headers: OWN_ORIGIN });
  expect(response.status(), await response.text()).toBe(201);
}

export async function listTicket(
  seller: APIRequestContext,
  title: string,
  price = 25.5,
  startsAt = new Date(Date.now() + 30 * 24 * 3600 * 1000).toISOString(),
  quantity?: number,
): Promise<Ticket> {
  const data = { title, price, venue: "Roundhouse", startsAt, ...(quantity && { quantity }) };
  const response = await seller.post("/api/tickets", { data, headers: OWN_ORIGIN });
  expect(response.status(), await response.text()).toBe(201);
  return response.json();
}

export async function changeTicket(seller: APIRequestContext, { id }: Ticket, data: object): Promise<void> {
  const response = await seller.put(`/api/tickets/${id}`, { data, headers: OWN_ORIGIN });
  expect(response.status(), await response.text()).toBe(200);
}

/** Lists several tickets as one listing. */
export async function listTickets(seller: APIRequestContext, title: string, quantity: number): Promise<Ticket> {
  return listTicket(seller, title, undefined, undefined, quantity);
}

/** Holds tickets for the account of this API session; one without `quantity`. */
export async function holdTicket(buyer: APIRequestContext, { id }: Ticket, quantity?: number): Promise<Order> {
  const data = { ticketId: id, ...(quantity && { quantity }) };
  const response = await buyer.post("/api/orders", { data, headers: OWN_ORIGIN });
  expect(response.status(), await response.text()).toBe(201);
  return response.json();
}

/** Fills the card form with one of the double's test cards and pays. */
export async function payWith(page: Page, card: RegExp): Promise<void> {
  await page.getByRole("button", { name: card }).click();
  await page.getByRole("button", { name: /^Pay \$/ }).click();
}

export const CARD = {
  works: /Successful payment/,
  declined: /Declined card/,
  threeDSecure: /3-D Secure/,
};

/** The page's uncaught errors and console errors. */
export function problemsOf(page: Page): string[] {
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    // The tests provoke refusals; the browser logs each as an error.
    if (message.type() === "error" && !/status of 4|ERR_INTERNET_DISCONNECTED/.test(message.text()))
      problems.push(message.text());
  });
  return problems;
}

/** Pays for an order with the account of this API session. */
export async function payFor(buyer: APIRequestContext, order: Order): Promise<void> {
  const data = { orderId: order.id, paymentMethodId: "pm_card_visa" };
  const response = await buyer.post("/api/payments", { data, headers: OWN_ORIGIN });
  expect(response.status(), await response.text()).toBe(201);
}

/** Holds and pays for tickets with the account of this API session; resolves once the order is complete. */
export async function buyTickets(buyer: APIRequestContext, ticket: Ticket, quantity: number): Promise<Order> {
  const order = await holdTicket(buyer, ticket, quantity);
  await payFor(buyer, order);
  await expect
    .poll(async () => (await (await buyer.get(`/api/orders/${order.id}`)).json()).status, LIVE_UPDATE)
    .toBe("complete");
  return order;
}

export async function passesOf(buyer: APIRequestContext, { id }: Order): Promise<Pass[]> {
  const response = await buyer.get(`/api/orders/${id}/passes`);
  expect(response.status(), await response.text()).toBe(200);
  return response.json();
}
