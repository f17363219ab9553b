/** Selling: list, correct, edit and delete; and a session that ends while a form is filled in. */
import { expect, test } from "@playwright/test";
import { listTicket, newSeller, problemsOf, signIn, signUpIn, uniqueTitle } from "./marketplace";

test("a seller corrects a refused listing, changes its price and deletes it", async ({ page, context, baseURL }) => {
  const problems = problemsOf(page);
  await signUpIn(context, baseURL);
  const title = uniqueTitle("Garden opera");
  await page.goto("/sell");
  await page.getByRole("button", { name: "List for sale" }).click();
  await expect(page.getByLabel("Title")).toBeFocused();
  for (const label of ["Title", "Price in US dollars"]) {
    await expect(page.getByLabel(label)).toHaveAttribute("aria-invalid", "true");
  }
  await page.getByLabel("Title").fill(title);
  await page.getByLabel("Price in US dollars").fill("0");
  await page.getByRole("button", { name: "List for sale" }).click();
  await expect(page.getByLabel("Price in US dollars")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Price in US dollars")).toBeFocused();
  await page.getByLabel("Price in US dollars").fill("18.50");
  await page.getByLabel("Starts at").fill("2999-06-01T19:30");
  await page.getByRole("button", { name: "List for sale" }).click();
  await expect(page.getByText("Your ticket is listed.")).toBeVisible();

  await page.getByRole("link", { name: "Edit or delete" }).click();
  await page.getByLabel("Price in US dollars").fill("21");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("$21.00")).toBeVisible();
  await page.getByRole("link", { name: "My listings" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: title })).toContainText("$21.00");
  await page.getByRole("link", { name: title }).click();
  await page.getByRole("link", { name: "Edit or delete" }).click();
  await page.getByRole("button", { name: "Delete listing" }).click();
  await page.getByRole("button", { name: "Delete it" }).click();
  await expect(page.getByText("You have no listings yet")).toBeVisible();
  expect(problems).toEqual([]);
});

test("typed input survives the end of the session", async ({ page, context, baseURL }) => {
  const person = await signUpIn(context, baseURL);
  const title = uniqueTitle("Patience");
  await page.goto("/sell");
  await page.getByLabel("Title").fill(title);
  await page.getByLabel("Price in US dollars").fill("9.99");
  await page.getByLabel("Starts at").fill("2999-06-01T19:30");
  await context.clearCookies();
  await page.getByRole("button", { name: "List for sale" }).click();
  await expect(page).toHaveURL(/\/signin\?returnTo=%2Fsell/);
  await signIn(page, person);
  await expect(page.getByLabel("Title")).toHaveValue(title);
  await expect(page.getByLabel("Starts at")).toHaveValue("2999-06-01T19:30");
  await page.getByRole("button", { name: "List for sale" }).click();
  await expect(page.getByText("Your ticket is listed.")).toBeVisible();
});

test("signing out in one tab is shown in the other", async ({ page, context, baseURL }) => {
  await signUpIn(context, baseURL);
  await page.goto("/listings");
  const second = await context.newPage();
  await second.goto("/");
  await second.getByRole("button", { name: "Sign out" }).click();
  await expect(second.getByRole("link", { name: "Sign up" })).toBeVisible();
  await expect(page.getByText("Your session has ended.")).toBeVisible();
});

test("a long list grows while it is scrolled, keeps its filters in the address, and survives a reload", async ({
  page,
  baseURL,
}) => {
  const seller = await newSeller(baseURL);
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
  await page.getByLabel("To price").fill("2");
  await expect(cards).toHaveCount(2);
  await expect(page).toHaveURL(/maxPrice=2/);
  await seller.dispose();
});
