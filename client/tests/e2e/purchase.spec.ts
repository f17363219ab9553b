/** The main story in a real browser: sign up, find a ticket, hold it, pay for it. */
import { expect, test } from "@playwright/test";
import { listTicket, newSeller, somebody, uniqueTitle } from "./marketplace";

test("a new buyer signs up, finds a listing, holds it, is declined, pays with another card and owns it", async ({
  page,
  baseURL,
}) => {
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    // Refusals are part of the story; the browser logs each as an error by itself.
    if (message.type() === "error" && !message.text().includes("status of 4")) problems.push(message.text());
  });

  const seller = await newSeller(baseURL ?? "");
  const ticket = await listTicket(seller, uniqueTitle("Evening concert"));
  const buyer = somebody("buyer");

  await page.goto(`/tickets/${ticket.id}`);
  await page.getByRole("link", { name: "Sign in to hold this ticket" }).click();
  await expect(page).toHaveURL(/\/signin\?returnTo=/);
  await page.getByRole("link", { name: "Create an account" }).click();
  // The same fields stand on the page that is being left.
  await expect(page.getByRole("heading", { name: "Create an account" })).toBeVisible();
  await page.getByLabel("E-mail").fill(buyer.email);
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Create an account" }).click();
  await expect(page.getByLabel("Password")).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel("Password").fill(buyer.password);
  await page.getByRole("button", { name: "Create an account" }).click();
  await expect(page).toHaveURL(new RegExp(`/tickets/${ticket.id}$`));

  await page.getByRole("link", { name: "Browse" }).click();
  await expect(page).toHaveURL(/\/$/);
  await page.getByRole("searchbox", { name: "Search" }).fill(ticket.title);
  await expect(page).toHaveURL(/q=/);
  await page.getByRole("link", { name: ticket.title }).click();

  await page.getByRole("button", { name: "Hold this ticket" }).click();
  await expect(page).toHaveURL(/\/orders\/[0-9a-f]{24}$/);
  await expect(page.getByRole("timer")).toHaveText(/^\d+:\d\d$/);

  await page.getByRole("button", { name: /A card that is declined/ }).click();
  await page.getByRole("button", { name: "Pay $25.50" }).click();
  await expect(page.getByText("Your card was declined")).toBeVisible();

  await page.getByRole("button", { name: /A card that works/ }).click();
  await page.getByRole("button", { name: "Pay $25.50" }).click();
  await expect(page.getByText("The ticket is yours", { exact: true })).toBeVisible();

  await page.getByRole("link", { name: "My orders" }).first().click();
  await expect(page.getByRole("listitem").filter({ hasText: ticket.title })).toContainText("Bought");
  await expect
    .poll(async () => (await (await seller.get(`/api/tickets/${ticket.id}`)).json()).status, { timeout: 10_000 })
    .toBe("sold");
  await seller.dispose();
  expect(problems).toEqual([]);
});
