/** Accounts through the mails of the stack: confirm an address, reset a password. */
import { expect } from "@playwright/test";
import { mailedLink } from "./inbox";
import { LIVE_UPDATE, newPerson, problemsOf, signIn, signUpIn, test } from "./marketplace";

test("a new account confirms its address by the link of a mail, its other tab shows it, and a second use says so again", async ({
  page,
  context,
}) => {
  test.setTimeout(120_000);
  const problems = problemsOf(page);
  const { email } = await signUpIn(context);
  await page.goto("/account");
  await expect(page.getByText("Not confirmed", { exact: true })).toBeVisible();

  const link = await mailedLink(email, "/verify-email");
  const tab = await context.newPage();
  await tab.goto(link);
  await tab.getByRole("button", { name: "Confirm the address" }).click();
  await expect(tab.getByRole("heading", { name: "Your e-mail address is confirmed" })).toBeFocused();
  await expect(page.getByText("Confirmed", { exact: true })).toBeVisible(LIVE_UPDATE);

  await tab.goto("/");
  await tab.goto(link);
  await tab.getByRole("button", { name: "Confirm the address" }).click();
  await expect(tab.getByRole("heading", { name: "Your e-mail address is confirmed" })).toBeVisible();
  expect(problems).toEqual([]);
});

test("a forgotten password is reset by the link of a mail, and every session ends", async ({ page, browser }) => {
  test.setTimeout(120_000);
  const device = await browser.newContext();
  const person = await signUpIn(device);
  const signedIn = await device.newPage();
  await signedIn.goto("/account");

  await page.goto("/signin");
  await page.getByRole("link", { name: "Forgot your password?" }).click();
  // The page before has a field with the same label.
  await expect(page.getByRole("heading", { name: "Forgot your password?" })).toBeVisible();
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByRole("button", { name: "Send the link" }).click();
  await expect(page.getByRole("heading", { name: "Check your mail" })).toBeFocused();

  const { password } = newPerson("unused");
  const link = await mailedLink(person.email, "/reset-password");
  await page.goto(link);
  await page.getByLabel("New password").fill("password");
  await page.getByRole("button", { name: "Set the password" }).click();
  await expect(page.getByLabel("New password")).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel("New password").fill(password);
  await page.getByRole("button", { name: "Set the password" }).click();
  await expect(page.getByText("Your password is changed")).toBeVisible();
  await signIn(page, { ...person, password });
  await expect(page.getByRole("button", { name: "Sign out" })).toBeVisible();

  await signedIn.getByRole("button", { name: "Download your data" }).click();
  await expect(signedIn).toHaveURL(/\/signin\?returnTo=%2Faccount/);
  await device.close();
});
