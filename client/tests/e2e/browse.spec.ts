/** Finding a ticket: the address holds the page's whole state, with and without scripts, and "back" restores the position. */
import { expect } from "@playwright/test";
import { HYDRATION_MARK } from "@/lib/interruptibleHydration";
import { listTicket, problemsOf, test, uniqueTitle } from "./marketplace";

test("the page hydrates in slices", async ({ page }) => {
  await page.goto("/");
  const marks = () => page.evaluate((name) => performance.getEntriesByName(name).length, HYDRATION_MARK);
  await expect.poll(marks).toBe(1);
});

test("dates are kept in the address, survive a reload, and can be cleared", async ({ page }) => {
  const problems = problemsOf(page);
  await page.goto("/");
  await page.getByText("Dates", { exact: true }).click();
  await page.getByLabel("Not before").fill("2998-01-01");
  await expect(page).toHaveURL(/from=2998-01-01/);
  await page.reload();
  await expect(page.getByLabel("Not before")).toBeVisible();
  await page.getByRole("link", { name: "Clear filters" }).click();
  await expect(page).toHaveURL(/\/$/);
  await expect(page.getByLabel("Not before")).toHaveValue("");
  expect(problems).toEqual([]);
});

test("typed text is kept while the list updates, and an invalid price is marked", async ({ page, seller }) => {
  const title = uniqueTitle("Slow typing");
  await listTicket(seller, title);
  await page.goto("/");
  const search = page.getByRole("searchbox", { name: "Search" });
  await search.fill(title.slice(0, -4));
  // Slower than the pause after which the page searches: responses arrive while the rest is typed.
  await search.pressSequentially(title.slice(-4), { delay: 300 });
  await expect(page).toHaveURL(new RegExp(`q=${title.replaceAll(" ", "\\+")}$`));
  await expect(search).toHaveValue(title);
  await expect(search).toBeFocused();
  await expect(page.getByRole("listitem").filter({ hasText: title })).toBeVisible();

  await page.getByLabel("From price").fill("cheap");
  await expect(page.getByLabel("From price")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByRole("heading", { name: "Check your filters" })).toBeVisible();
});

test("a long list grows while it is scrolled, survives a reload, and is at the same place after going back", async ({
  page,
  seller,
}) => {
  const series = uniqueTitle("Series");
  for (let night = 1; night <= 45; night++) await listTicket(seller, `${series} night ${night}`, night);
  await page.goto(`/?q=${encodeURIComponent(series)}`);
  const cards = page.getByRole("listitem").filter({ hasText: series });
  await page.getByLabel("Sort by").selectOption("price");
  await expect(page).toHaveURL(/sort=price/);
  await expect(cards.first()).toContainText("$1.00");
  await expect(async () => {
    await page.mouse.wheel(0, 4000);
    await expect(cards).toHaveCount(45, { timeout: 500 });
  }).toPass({ timeout: 20_000 });
  await expect(cards.last()).toContainText("$45.00");
  await expect(page).toHaveURL(/pages=3/);
  await page.reload();
  await expect(cards).toHaveCount(45);

  const wanted = page.getByRole("link", { name: `${series} night 40` });
  await wanted.scrollIntoViewIfNeeded();
  const place = await page.evaluate(() => window.scrollY);
  expect(place).toBeGreaterThan(0);
  await wanted.click();
  await expect(page.getByRole("heading", { level: 1, name: `${series} night 40` })).toBeVisible();
  await page.goBack();
  await expect(wanted).toBeInViewport();
  await expect.poll(() => page.evaluate(() => window.scrollY)).toBe(place);

  await page.getByLabel("To price").fill("2");
  await expect(cards).toHaveCount(2);
  await expect(page).toHaveURL(/maxPrice=2/);
});

test.describe("without scripts", () => {
  test.use({ javaScriptEnabled: false });

  test("the list is shown and can be searched", async ({ page, seller }) => {
    const title = uniqueTitle("Plain paper");
    await listTicket(seller, title);
    await page.goto("/");
    await page.getByRole("searchbox", { name: "Search" }).fill(title);
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/q=Plain\+paper/);
    await expect(page.getByRole("listitem").filter({ hasText: title })).toHaveCount(1);
  });
});
