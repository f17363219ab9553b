/** Listings with several seats: buying some of them, live numbers, races that are lost in part, and changes by the seller. */
import { expect } from "@playwright/test";
import {
  CARD,
  changeTicket,
  holdTicket,
  LIVE_UPDATE,
  listTickets,
  payWith,
  problemsOf,
  signUpIn,
  test,
  uniqueTitle,
} from "./marketplace";

test("a buyer buys 3 of 5 seats, and another browser shows how many are left", async ({
  page,
  context,
  browser,
  seller,
  buyer,
}) => {
  const problems = problemsOf(page);
  const ticket = await listTickets(seller, uniqueTitle("Open air"), 5);
  const other = await browser.newPage();
  await other.goto(`/?q=${encodeURIComponent(ticket.title)}`);
  const card = other.getByRole("listitem").filter({ hasText: ticket.title });
  await expect(card).toContainText("5 of 5 left");

  await signUpIn(context);
  await page.goto(`/tickets/${ticket.id}`);
  await page.getByRole("button", { name: "More tickets" }).click();
  await page.getByLabel("Number of tickets").press("ArrowUp");
  await expect(page.getByLabel("Number of tickets")).toHaveValue("3");
  await expect(page.getByText("$76.50")).toBeVisible();
  await page.getByRole("button", { name: "Hold 3 tickets" }).click();
  await expect(page.getByRole("timer")).toBeVisible();
  await expect(page.getByText("3 tickets × $25.50")).toBeVisible();
  await expect(card).toContainText("2 of 5 left", LIVE_UPDATE);

  await expect(page.getByRole("button", { name: "Pay $76.50" })).toBeVisible();
  await payWith(page, CARD.works);
  await expect(page.getByText("3 tickets are yours", { exact: true })).toBeVisible({ timeout: 20_000 });
  const receipt = page.getByRole("region", { name: "Receipt" });
  await expect(receipt).toContainText("3 tickets × $25.50");
  await expect(receipt).toContainText("$76.50");
  await expect(receipt).toContainText("Roundhouse");
  await expect(receipt).toContainText("Seat numbers");
  await page.goto("/orders");
  const order = page.getByRole("listitem").filter({ hasText: ticket.title });
  await expect(order).toContainText("3 tickets");
  await expect(order).toContainText("$76.50");

  await holdTicket(buyer, ticket, 2);
  await expect(card).toContainText("On hold", LIVE_UPDATE);
  expect(problems).toEqual([]);
  await other.close();
});

test("a buyer who wants more seats than are left is offered the rest", async ({ page, context, seller, buyer }) => {
  const ticket = await listTickets(seller, uniqueTitle("Nearly full"), 5);
  await signUpIn(context);
  // Without live updates the page still shows five free seats when it sends the order.
  await page.route("**/api/tickets/stream", (route) => route.abort());
  await page.goto(`/tickets/${ticket.id}`);
  for (let presses = 0; presses < 2; presses++) await page.getByRole("button", { name: "More tickets" }).click();
  await holdTicket(buyer, ticket, 3);
  await page.getByRole("button", { name: "Hold 3 tickets" }).click();
  await expect(page.getByText("Only 2 tickets are left.")).toBeVisible();
  await page.getByRole("button", { name: "Take 2 tickets" }).click();
  await expect(page.getByRole("timer")).toBeVisible();
  await expect(page.getByRole("button", { name: "Pay $51.00" })).toBeVisible();
});

test("a buyer is asked before a hold at a higher price", async ({ page, context, seller, buyer }) => {
  const ticket = await listTickets(seller, uniqueTitle("Rising price"), 5);
  await signUpIn(context);
  await page.route("**/api/tickets/stream", (route) => route.abort());
  await page.goto(`/tickets/${ticket.id}`);
  await changeTicket(seller, ticket, { title: ticket.title, price: 30, quantity: 5 });
  // A wrong price is always refused, so this waits without a side effect until the orders service has the new price.
  const knownPrice = async () => {
    const refusal = await buyer.post("/api/orders", { data: { ticketId: ticket.id, quantity: 1, price: 1 } });
    return (await refusal.json()).price;
  };
  await expect.poll(knownPrice, LIVE_UPDATE).toBe(30);
  await page.getByRole("button", { name: "Hold 1 ticket" }).click();
  await expect(page.getByText("Each ticket now costs $30.00 instead of $25.50.")).toBeVisible();
  await page.getByRole("button", { name: "Accept the new price" }).click();
  await page.getByRole("button", { name: "Hold 1 ticket" }).click();
  await expect(page.getByRole("button", { name: "Pay $30.00" })).toBeVisible();
});

test("a seller lists 3 tickets, and changes their number and price while one is held", async ({
  page,
  context,
  buyer,
}) => {
  await signUpIn(context);
  const title = uniqueTitle("Three seats");
  await page.goto("/sell");
  await page.getByLabel("Title").fill(title);
  await page.getByLabel("Price in US dollars").fill("10");
  await page.getByLabel("Number of tickets").fill("3");
  await page.getByRole("button", { name: "List for sale" }).click();
  await expect(page.getByText("Your tickets are listed.")).toBeVisible();
  await expect(page.getByText("This is your listing: 3 of 3 left.")).toBeVisible();
  const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  await holdTicket(buyer, await (await buyer.get(`/api/tickets/${id}`)).json());
  await expect(page.getByText("This is your listing: 2 of 3 left.")).toBeVisible(LIVE_UPDATE);

  await page.getByRole("link", { name: "Edit or delete" }).click();
  await expect(page.getByText("1 of 3 tickets is sold or on hold.")).toBeVisible();
  await expect(page.getByLabel("Title")).not.toBeEditable();
  await expect(page.getByRole("button", { name: "Delete listing" })).toHaveCount(0);
  await page.getByLabel("Number of tickets").fill("0");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByLabel("Number of tickets")).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel("Number of tickets").fill("2");
  await page.getByLabel("Price in US dollars").fill("12.50");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("This is your listing: 1 of 2 left.")).toBeVisible(LIVE_UPDATE);
  await expect(page.getByText("$12.50")).toBeVisible();
  await page.goto("/listings");
  await expect(page.getByRole("listitem").filter({ hasText: title })).toContainText("1 of 2 left");
});
