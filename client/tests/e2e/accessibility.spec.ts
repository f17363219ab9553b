/** axe over the pages that need no order: between them the two runs see both widths and both colour schemes. */
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { listTicket, newSeller, uniqueTitle } from "./marketplace";

for (const { device, viewport, colorScheme } of [
  { device: "phone", viewport: { width: 390, height: 844 }, colorScheme: "light" },
  { device: "desktop", viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
] as const) {
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
