/** Cards with 3-D Secure, and holds that expire. */
import { expect } from "@playwright/test";
import { CARD, holdTicket, listTicket, payWith, problemsOf, signUpIn, test, uniqueTitle } from "./marketplace";

const QUESTION = { name: "3-D Secure test question" };

test("a card with 3-D Secure is refused, then confirmed, and only the receipt is printed", async ({
  page,
  context,
  seller,
}) => {
  const problems = problemsOf(page);
  const ticket = await listTicket(seller, uniqueTitle("Secure sounds"), 40);
  const buyer = await signUpIn(context);
  await page.goto(`/tickets/${ticket.id}`);
  await page.getByRole("button", { name: "Hold this ticket" }).click();

  await page.getByRole("button", { name: /^Pay \$/ }).click();
  await expect(page.getByLabel("Card number")).toBeFocused();
  await expect(page.getByLabel("Card number")).toHaveAttribute("aria-invalid", "true");
  await payWith(page, CARD.threeDSecure);
  await page.getByRole("alertdialog", QUESTION).getByRole("button", { name: "Fail" }).click();
  await expect(page.getByText("Payment not completed")).toBeVisible();
  await payWith(page, CARD.threeDSecure);
  await page.getByRole("alertdialog", QUESTION).getByRole("button", { name: "Complete" }).click();
  await expect(page.getByText("The ticket is yours", { exact: true })).toBeVisible({ timeout: 20_000 });

  const receipt = page.getByRole("region", { name: "Receipt" });
  await expect(receipt).toContainText("$40.00");
  await expect(receipt).toContainText(buyer.email);
  await page.emulateMedia({ media: "print" });
  await expect(receipt).toBeVisible();
  await expect(page.getByRole("navigation", { name: "Main" })).toBeHidden();
  await expect(receipt.getByRole("button")).toBeHidden();
  expect(problems).toEqual([]);
});

test("a computer whose clock is wrong counts down by the server's clock", async ({ page, context, seller }) => {
  const ticket = await listTicket(seller, uniqueTitle("Other time"));
  await signUpIn(context);
  const order = await holdTicket(context.request, ticket);
  const secondsLeft = () => (Date.parse(order.expiresAt) - Date.now()) / 1000;
  await page.clock.install({ time: Date.now() + 10 * 60_000 });
  await page.goto(`/orders/${order.id}`);
  // The server renders the first figure; the browser computes the following ones.
  await page.clock.runFor(3_000);
  await expect(async () => {
    const [minutes = 0, seconds = 0] = ((await page.getByRole("timer").textContent()) ?? "").split(":").map(Number);
    expect(Math.abs(minutes * 60 + seconds - secondsLeft())).toBeLessThan(8);
  }).toPass({ timeout: 10_000 });
  await expect(page.getByRole("button", { name: /^Pay \$/ })).toBeEnabled();
});

test("a hold that expires while its page is open ends there, and the ticket can be held again", async ({
  page,
  context,
  seller,
}) => {
  const ticket = await listTicket(seller, uniqueTitle("Late show"));
  await signUpIn(context);
  const order = await holdTicket(context.request, ticket);
  const remainingMs = Date.parse(order.expiresAt) - Date.now();
  test.skip(remainingMs > 120_000, "holds are long here: start the product with RESERVATION_WINDOW_SECONDS=45");
  test.setTimeout(remainingMs + 60_000);

  await page.goto(`/orders/${order.id}`);
  await expect(page.getByRole("timer")).toHaveText(/^0:\d\d$/);
  await expect(page.getByText("Less than one minute left to pay.")).toBeAttached();
  await expect(page.getByText("Your hold expired")).toBeVisible({ timeout: remainingMs + 30_000 });
  await expect(page.getByRole("button", { name: /^Pay/ })).toHaveCount(0);
  await page.getByRole("link", { name: "View the ticket" }).click();
  await page.getByRole("button", { name: "Hold this ticket" }).click();
  await expect(page.getByRole("timer")).toBeVisible();
});
