/** axe over the pages that need no order, on a phone and on a desktop, light and dark. */
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { listTicket, newSeller, uniqueTitle } from "./marketplace";

for (const [device, viewport] of [
  ["phone", { width: 390, height: 844 }],
  ["desktop", { width: 1280, height: 800 }],
] as const) {
  for (const colorScheme of ["light", "dark"] as const) {
    test.describe(`${device}, ${colorScheme}`, () => {
      test.use({ viewport, colorScheme });

      test("axe finds nothing, and nothing is wider than the screen", async ({ page, baseURL }) => {
        const seller = await newSeller(baseURL ?? "");
        const ticket = await listTicket(seller, uniqueTitle("Chamber music"));
        await seller.dispose();
        for (const path of [
          "/",
          "/?q=nothing-has-this-name",
          `/tickets/${ticket.id}`,
          "/signin",
          "/signup",
          "/nowhere",
        ]) {
          await page.goto(path);
          const { violations } = await new AxeBuilder({ page }).analyze();
          expect.soft(violations, path).toEqual([]);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          expect.soft(overflow, path).toBeLessThanOrEqual(0);
        }
      });
    });
  }
}
