/** Selling: list, correct, edit and delete; and a session that ends in another tab. */
import { expect } from "@playwright/test";
import { problemsOf, signUpIn, test, uniqueTitle } from "./marketplace";

test("a seller corrects a refused listing, changes its price and deletes it", async ({ page, context }) => {
  const problems = problemsOf(page);
  await signUpIn(context);
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

test("signing out in one tab is shown in the other", async ({ page, context }) => {
  await signUpIn(context);
  await page.goto("/listings");
  const second = await context.newPage();
  await second.goto("/");
  await second.getByRole("button", { name: "Sign out" }).click();
  await expect(second.getByRole("link", { name: "Sign up" })).toBeVisible();
  await expect(page.getByText("Your session has ended.")).toBeVisible();
});
