/** The main scenario in a real browser: sign up, find a ticket, hold it, pay for it; also by keyboard alone. */
import { expect, type Locator, type Page } from "@playwright/test";
import { CARD, listTicket, newPerson, payWith, problemsOf, signUpIn, test, uniqueTitle } from "./marketplace";

test("a new buyer signs up, finds a listing, holds it, is declined, pays with another card and owns it", async ({
  page,
  seller,
}) => {
  const problems = problemsOf(page);
  const ticket = await listTicket(seller, uniqueTitle("Evening concert"));
  const buyer = newPerson("buyer");

  await page.goto(`/tickets/${ticket.id}`);
  await page.getByRole("link", { name: "Sign in to hold this ticket" }).click();
  await expect(page).toHaveURL(/\/signin\?returnTo=/);
  await page.getByRole("link", { name: "Create an account" }).click();
  // The sign-in page, which is still shown, has the same fields.
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

  await payWith(page, CARD.declined);
  await expect(page.getByText("Your card was declined")).toBeVisible();
  await payWith(page, CARD.works);
  await expect(page.getByText("The ticket is yours", { exact: true })).toBeVisible({ timeout: 20_000 });

  await page.getByRole("link", { name: "My orders" }).first().click();
  await expect(page.getByRole("listitem").filter({ hasText: ticket.title })).toContainText("Bought");
  await expect
    .poll(async () => (await (await seller.get(`/api/tickets/${ticket.id}`)).json()).status, { timeout: 10_000 })
    .toBe("sold");
  expect(problems).toEqual([]);
});

test("a purchase needs only the keyboard", async ({ page, context, seller }) => {
  const ticket = await listTicket(seller, uniqueTitle("Organ recital"));
  await signUpIn(context);

  await page.goto("/");
  await tabTo(page, page.getByRole("link", { name: "Skip to content" }));
  await page.keyboard.press("Enter");
  await tabTo(page, page.getByRole("searchbox", { name: "Search" }));
  await page.keyboard.type(ticket.title);
  await expect(page).toHaveURL(/q=/);
  const found = page.getByRole("link", { name: ticket.title });
  await expect(found).toBeVisible();
  await tabTo(page, found);
  await page.keyboard.press("Enter");
  const hold = page.getByRole("button", { name: "Hold this ticket" });
  await expect(hold).toBeVisible();
  await tabTo(page, hold);
  await page.keyboard.press("Enter");
  const card = page.getByLabel("Card number");
  await expect(card).toBeVisible();
  await tabTo(page, card);
  await page.keyboard.type("4000002500003155");
  await page.keyboard.press("Tab");
  await page.keyboard.type("1234");
  await page.keyboard.press("Tab");
  await page.keyboard.type("123");
  await page.keyboard.press("Enter");
  // The dialog takes the focus: Enter confirms.
  await expect(page.getByRole("alertdialog").getByRole("button", { name: "Complete" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByText("The ticket is yours", { exact: true })).toBeVisible({ timeout: 20_000 });
});

async function tabTo(page: Page, target: Locator): Promise<void> {
  await expect(async () => {
    await page.keyboard.press("Tab");
    await expect(target).toBeFocused({ timeout: 1 });
  }).toPass({ intervals: [0], timeout: 15_000 });
}
