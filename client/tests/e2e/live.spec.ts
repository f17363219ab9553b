/** Changes from other browsers appear without a reload: lists, tickets, orders in two tabs, and two buyers at once. */
import { expect } from "@playwright/test";
import {
  changeTicket,
  holdTicket,
  LIVE_UPDATE,
  listTicket,
  payFor,
  problemsOf,
  signUpIn,
  test,
  uniqueTitle,
} from "./marketplace";

test("a browse page shows a listing appear, change its price, be held, be free again and be withdrawn", async ({
  page,
  seller,
  buyer,
}) => {
  const problems = problemsOf(page);
  const title = uniqueTitle("Live music");
  await page.goto(`/?q=${encodeURIComponent(title)}`);
  await expect(page.getByRole("heading", { name: "No matching tickets" })).toBeVisible();

  const ticket = await listTicket(seller, title);
  const card = page.getByRole("listitem").filter({ hasText: title });
  await expect(card).toContainText("$25.50", LIVE_UPDATE);
  await changeTicket(seller, ticket, { title, price: 30 });
  await expect(card).toContainText("$30.00", LIVE_UPDATE);
  const order = await holdTicket(buyer, ticket);
  await expect(card).toContainText("On hold", LIVE_UPDATE);
  await buyer.delete(`/api/orders/${order.id}`);
  await expect(card).toContainText("Available", LIVE_UPDATE);
  await expect
    .poll(async () => (await seller.delete(`/api/tickets/${ticket.id}`)).status(), { timeout: 15_000 })
    .toBe(204);
  await expect(card).toHaveCount(0, LIVE_UPDATE);
  expect(problems).toEqual([]);
});

test("a ticket page shows that the ticket is sold or withdrawn, and offers other tickets", async ({
  page,
  seller,
  buyer,
}) => {
  const title = uniqueTitle("Farewell tour");
  const sold = await listTicket(seller, title);
  const withdrawn = await listTicket(seller, title);
  const other = await listTicket(seller, `${title}, balcony`);
  await page.goto(`/tickets/${sold.id}`);
  await expect(page.getByRole("link", { name: "Sign in to hold this ticket" })).toBeVisible();
  const order = await holdTicket(buyer, sold);
  await expect(page.getByText("Another buyer holds this ticket.")).toBeVisible(LIVE_UPDATE);
  await payFor(buyer, order);
  await expect(page.getByText("This ticket is sold.")).toBeVisible(LIVE_UPDATE);
  const similar = page.getByRole("region", { name: "Similar tickets" });
  await similar.getByRole("link", { name: title, exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`/tickets/${withdrawn.id}$`));
  await seller.delete(`/api/tickets/${withdrawn.id}`);
  await expect(page.getByText("The seller has withdrawn this ticket.")).toBeVisible(LIVE_UPDATE);
  await expect(similar.getByRole("link", { name: other.title })).toBeVisible();
});

test("of two buyers who press at once, one gets the ticket, and the other sees why not and is offered another", async ({
  browser,
  seller,
}) => {
  const title = uniqueTitle("Last seat");
  const ticket = await listTicket(seller, title);
  const other = await listTicket(seller, title, 28);
  const contexts = await Promise.all([browser.newContext(), browser.newContext()]);
  const pages = await Promise.all(
    contexts.map(async (context) => {
      await signUpIn(context);
      const page = await context.newPage();
      await page.goto(`/tickets/${ticket.id}`);
      return page;
    }),
  );

  await Promise.all(pages.map((page) => page.getByRole("button", { name: "Hold this ticket" }).click()));
  const lost = "You do not hold this ticket.";
  const outcomes = await Promise.all(
    pages.map(async (page) => {
      await expect(page.getByText(lost).or(page.getByRole("timer"))).toBeVisible(LIVE_UPDATE);
      return page.getByText(lost).isVisible();
    }),
  );
  expect(outcomes.filter(Boolean)).toHaveLength(1);
  const [loser] = pages.filter((_page, index) => outcomes[index]);
  if (!loser) throw new Error("no buyer lost the race");
  const similar = loser.getByRole("region", { name: "Similar tickets" });
  await similar.getByRole("link", { name: title }).click();
  await expect(loser).toHaveURL(new RegExp(`/tickets/${other.id}$`));
  await Promise.all(contexts.map((context) => context.close()));
});

test("an order that is cancelled in one tab is cancelled in the other, and the seller sees it free again", async ({
  page,
  context,
  browser,
}) => {
  const sellerContext = await browser.newContext();
  await signUpIn(sellerContext);
  const title = uniqueTitle("Second thoughts");
  const ticket = await listTicket(sellerContext.request, title);
  const listings = await sellerContext.newPage();
  await listings.goto("/listings");
  const listing = listings.getByRole("listitem").filter({ hasText: title });
  await expect(listing).toContainText("Available");

  await signUpIn(context);
  const order = await holdTicket(context.request, ticket);
  await expect(listing).toContainText("On hold", LIVE_UPDATE);
  await page.goto(`/orders/${order.id}`);
  const second = await context.newPage();
  await second.goto("/orders");
  const open = second.getByRole("listitem").filter({ hasText: title });
  await expect(open.getByRole("timer")).toHaveText(/^\d+:\d\d left$/);
  await open.getByRole("link", { name: title }).click();
  await expect(second).toHaveURL(new RegExp(`/orders/${order.id}$`));
  await page.getByRole("button", { name: "Cancel this order" }).click();
  await page.getByRole("button", { name: "Yes, cancel it" }).click();
  await expect(page.getByText("You cancelled this order")).toBeVisible();
  await expect(second.getByText("You cancelled this order")).toBeVisible(LIVE_UPDATE);
  await expect(listing).toContainText("Available", LIVE_UPDATE);
  await sellerContext.close();
});

test("a page shows that it is offline, and is up to date when it is back", async ({ page, context, seller }) => {
  const problems = problemsOf(page);
  const title = uniqueTitle("Tunnel party");
  const ticket = await listTicket(seller, title);
  await page.goto(`/?q=${encodeURIComponent(title)}`);
  const card = page.getByRole("listitem").filter({ hasText: title });
  await expect(card).toContainText("$25.50");

  await context.setOffline(true);
  await expect(page.getByText("You are offline.")).toBeVisible();
  await changeTicket(seller, ticket, { title, price: 31 });
  const second = await listTicket(seller, `${title} balcony`);
  await expect(card).toContainText("$25.50");
  await context.setOffline(false);
  await expect(page.getByText("You are back online")).toBeVisible(LIVE_UPDATE);
  await expect(card.filter({ hasText: "$31.00" })).toBeVisible(LIVE_UPDATE);
  await expect(page.getByRole("link", { name: second.title })).toBeVisible(LIVE_UPDATE);
  expect(problems).toEqual([]);
});
