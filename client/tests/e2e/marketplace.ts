/** What the browser tests need from outside the browser: people with accounts and tickets, made through the public API. */
import { randomBytes } from "node:crypto";
import { type APIRequestContext, expect, request } from "@playwright/test";
import type { Ticket } from "@/lib/api/types";

export interface Person {
  email: string;
  password: string;
}

/** A person nobody has met yet, so that tests can run again on the same data. */
export function somebody(role: string): Person {
  const unique = randomBytes(6).toString("hex");
  return { email: `${role}-${unique}@example.com`, password: randomBytes(12).toString("base64url") };
}

/** A title no other test run uses. */
export function uniqueTitle(event: string): string {
  return `${event} ${randomBytes(4).toString("hex")}`;
}

/** Signs a new seller up and hands over their own API session. */
export async function newSeller(baseURL: string): Promise<APIRequestContext> {
  // The services take a cookie's word only together with our own Origin.
  const api = await request.newContext({ baseURL, extraHTTPHeaders: { Origin: baseURL } });
  const response = await api.post("/api/users/signup", { data: somebody("seller") });
  expect(response.status(), await response.text()).toBe(201);
  return api;
}

export async function listTicket(seller: APIRequestContext, title: string, price = 25.5): Promise<Ticket> {
  const startsAt = new Date(Date.now() + 30 * 24 * 3600 * 1000).toISOString();
  const response = await seller.post("/api/tickets", { data: { title, price, venue: "Roundhouse", startsAt } });
  expect(response.status(), await response.text()).toBe(201);
  return response.json();
}
