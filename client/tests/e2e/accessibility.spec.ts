/** axe checks on every page; the two runs cover both widths and both colour schemes. */
import { AxeBuilder } from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";
import {
  CARD,
  holdTicket,
  listTicket,
  listTickets,
  OWN_ORIGIN,
  payWith,
  signUpIn,
  test,
  uniqueTitle,
} from "./marketplace";

for (const { device, viewport, colorScheme } of [
  { device: "phone", viewport: { width: 390, height: 844 }, colorScheme: "light" },
  { device: "desktop", viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
] as const) {
  test.describe(`${device}, ${colorScheme}`, () => {
    test.use({ viewport, colorScheme });

    test("axe finds nothing on any page, and nothing is wider than the screen", async ({ page, context, seller }) => {
      test.setTimeout(240_000);
      const title = uniqueTitle("Chamber music");
      const ticket = await listTicket(seller, title);
      const other = await listTicket(seller, title);
      const lost = await listTicket(seller, title);
      const several = await listTickets(seller, title, 5);
      for (const path of [
        "/",
        "/?q=nothing-has-this-name",
        `/tickets/${ticket.id}`,
        `/tickets/${several.id}?quantity=3`,
        "/signin",
        "/signup",
        "/forgot-password",
        "/reset-password",
        "/nowhere",
      ]) {
        await page.goto(path);
        await expectNoFault(page, path);
      }

      await signUpIn(context);
      for (const path of ["/orders", "/listings", "/sell", "/account"]) {
        await page.goto(path);
        await expectNoFault(page, path);
      }
      // Without scrolling, and large enough to tap.
      await page.goto(`/tickets/${ticket.id}`);
      const hold = page.getByRole("button", { name: "Hold this ticket" });
      await expect(hold).toBeInViewport();
      expect((await hold.boundingBox())?.height).toBeGreaterThanOrEqual(44);
      const mine = await listTicket(context.request, title);
      const sale = await listTickets(context.request, title, 5);
      const elsewhere = await holdTicket(seller, mine);
      const open = await holdTicket(context.request, ticket);
      const cancelled = await holdTicket(context.request, other);
      await context.request.delete(`/api/orders/${cancelled.id}`, { headers: OWN_ORIGIN });
      await holdTicket(seller, sale, 2);
      const group = await holdTicket(context.request, several, 3);
      for (const path of [
        `/orders/${open.id}`,
        `/orders/${group.id}`,
        `/tickets/${several.id}`,
        `/tickets/${sale.id}`,
        `/tickets/${sale.id}/edit`,
        `/orders/${cancelled.id}`,
        "/orders",
        "/listings",
        `/tickets/${ticket.id}`,
        `/tickets/${mine.id}`,
        `/tickets/${mine.id}/edit`,
        `/tickets/${sale.id}/sales`,
        `/checkin/${sale.id}`,
      ]) {
        await page.goto(path);
        await expectNoFault(page, path);
      }
      await seller.delete(`/api/orders/${elsewhere.id}`);

      // States that need an action first: a mailed link, a refused form, a dialog, a lost connection, a receipt.
      await page.goto("/reset-password#token=unknown");
      await expect(page).toHaveURL(/reset-password$/);
      await expectNoFault(page, "/reset-password");
      await page.goto("/verify-email#token=unknown");
      await expect(page).toHaveURL(/verify-email$/);
      await expectNoFault(page, "/verify-email");
      await page.getByRole("button", { name: "Confirm the address" }).click();
      await expect(page.getByRole("heading", { name: "This link no longer works" })).toBeVisible();
      await expectNoFault(page, "/verify-email, refused");
      await page.goto("/account");
      await page.getByRole("button", { name: "Change the password" }).click();
      await expect(page.getByText("Please check the 2 marked fields.")).toBeVisible();
      await page.getByRole("button", { name: "Delete my account" }).click();
      await expect(page.getByLabel("Your password")).toHaveAttribute("aria-invalid", "true");
      await expectNoFault(page, "/account, refused");
      await page.goto("/sell");
      await page.getByRole("button", { name: "List for sale" }).click();
      await expect(page.getByLabel("Price in US dollars")).toHaveAttribute("aria-invalid", "true");
      await expectNoFault(page, "/sell, refused");
      const order = await holdTicket(context.request, lost);
      await page.goto(`/orders/${order.id}`);
      await page.getByRole("button", { name: "Cancel this order" }).click();
      await expectNoFault(page, "order, dialog");
      await page.keyboard.press("Escape");
      await context.setOffline(true);
      await expect(page.getByText("You are offline.")).toBeVisible();
      await expectNoFault(page, "order, offline");
      await context.setOffline(false);
      await payWith(page, CARD.works);
      await expect(page.getByRole("region", { name: "Receipt" })).toBeVisible({ timeout: 20_000 });
      await expect(page.getByRole("img", { name: /^QR code/ })).toBeVisible();
      await expectNoFault(page, "order, receipt and passes");
    });
  });
}

async function expectNoFault(page: Page, what: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect.soft(violations, what).toEqual([]);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect.soft(overflow, what).toBeLessThanOrEqual(0);
}
