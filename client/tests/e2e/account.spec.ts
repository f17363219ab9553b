/** Accounts: a new password, sign-in in two steps, ended sessions, mailed links, leaving. */
import { createHmac } from "node:crypto";
import { AxeBuilder } from "@axe-core/playwright";
import { type BrowserContext, expect, type Page } from "@playwright/test";
import { newPerson, type Person, problemsOf, signIn, signUpIn, test, uniqueTitle } from "./marketplace";

/** Some of these need two browsers, which a busy machine slows down. */
test.describe.configure({ timeout: 120_000 });

/** A second device of this person, signed in. */
async function secondDevice(context: BrowserContext, person: Person): Promise<Page> {
  const other = await context.browser()?.newContext();
  if (!other) throw new Error("the context has no browser");
  const page = await other.newPage();
  await page.goto("/signin");
  await signIn(page, person);
  await expect(page.getByRole("button", { name: "Sign out" })).toBeVisible();
  return page;
}

test("a new password keeps this session, ends the other ones, and is needed from then on", async ({
  page,
  context,
}) => {
  const problems = problemsOf(page);
  const person = await signUpIn(context);
  const other = await secondDevice(context, person);
  await other.goto("/account");

  // The address that password managers open.
  await page.goto("/.well-known/change-password");
  await expect(page).toHaveURL(/\/account$/);
  const { password } = newPerson("unused");
  await page.getByLabel("Current password").fill(person.password);
  await page.getByLabel("New password").fill(password);
  await page.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByText("Your password is changed.")).toBeVisible();
  await page.reload();
  await expect(page.getByRole("heading", { name: "Your account" })).toBeVisible();

  await other.getByRole("button", { name: "Download your data" }).click();
  await expect(other).toHaveURL(/\/signin\?returnTo=%2Faccount/);
  await expect(other.getByText("Your session has ended.")).toBeVisible();
  await signIn(other, person);
  await expect(other.getByText("The e-mail or the password is wrong.")).toBeVisible();
  await signIn(other, { ...person, password });
  await expect(other).toHaveURL(/\/account$/);
  await other.context().close();
  expect(problems).toEqual([]);
});

/** The code of an authenticator app (RFC 6238) for a secret in base32, `steps` of 30 seconds from now. */
function codeOf(secret: string, steps: number): string {
  const bits = [...secret].map((letter) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"),
  );
  const bytes =
    bits
      .join("")
      .match(/.{8}/g)
      ?.map((byte) => Number.parseInt(byte, 2)) ?? [];
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", Buffer.from(bytes)).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, "0");
}

test("sign-in in two steps: set up, asked for after the password, a recovery code, off", async ({ page, context }) => {
  const problems = problemsOf(page);
  await page.setViewportSize({ width: 390, height: 844 });
  const person = await signUpIn(context);
  await page.goto("/account");
  const section = page.getByRole("region", { name: "Sign-in in two steps" });
  const unfaulted = async () => {
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  };

  await section.getByRole("button", { name: "Set it up" }).click();
  await section.getByLabel("Your password, to set it up").fill(person.password);
  await section.getByRole("button", { name: "Show the key" }).click();
  const secret = ((await section.locator("code").textContent()) ?? "").replaceAll(" ", "");
  const picture = section.getByRole("img", { name: "QR code for your authenticator app" });
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  await unfaulted();
  await section.getByLabel("Code", { exact: true }).fill(codeOf(secret, 0));
  await section.getByRole("button", { name: "Turn it on" }).click();
  await expect(section.getByRole("heading", { name: "Your recovery codes" })).toBeFocused();
  const codes = await section.getByRole("listitem").allTextContents();
  expect(codes).toHaveLength(10);
  await unfaulted();
  await section.getByRole("button", { name: "I have saved them" }).click();
  await expect(section.getByText("Recovery codes left: 10.")).toBeVisible();

  await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
  await expect(page.getByRole("link", { name: "Sign up" })).toBeVisible();
  await page.goto("/signin?returnTo=%2Faccount");
  await signIn(page, person);
  const code = page.getByLabel("Code");
  await expect(code).toBeFocused();
  await unfaulted();
  // "Back" leaves the sign-in page, and the password is not kept for "forward".
  await page.goBack();
  await expect(page.getByRole("link", { name: "Sign up" })).toBeVisible();
  await expect(page).not.toHaveURL(/signin/);
  await page.goForward();
  await expect(page.getByLabel("Password")).toHaveValue("");
  await signIn(page, person);
  await expect(code).toBeFocused();
  await code.fill(codes[0] as string);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/account$/);
  await expect(section.getByText("Recovery codes left: 9.")).toBeVisible();

  await section.getByRole("button", { name: "Turn it off" }).click();
  await section.getByLabel("Your password, for this change").fill(person.password);
  await section.getByLabel("Code", { exact: true }).fill(codes[0] as string);
  await section.getByRole("button", { name: "Turn off sign-in in two steps" }).click();
  await expect(section.getByText("The code is wrong, too old, or was used before.")).toBeVisible();
  await section.getByLabel("Code", { exact: true }).fill(codes[1] as string);
  await section.getByRole("button", { name: "Turn off sign-in in two steps" }).click();
  await expect(section.getByText(/your password alone signs in/)).toBeVisible();
  expect(problems).toEqual([]);
});

test("signing out everywhere ends the session of another device, which keeps what was entered", async ({
  page,
  context,
}) => {
  const person = await signUpIn(context);
  const other = await secondDevice(context, person);
  const title = uniqueTitle("Kept");
  await other.goto("/sell");
  await other.getByLabel("Title").fill(title);
  await other.getByLabel("Price in US dollars").fill("10");
  await other.getByLabel("Starts at").fill("2999-06-01T19:30");

  await page.goto("/account");
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(page.getByText("You are signed out on every device.")).toBeVisible();
  await expect(page.getByRole("link", { name: "Sign up" })).toBeVisible();

  // Also removes the cookie, so that the next call is refused by every service.
  const session = await other.request.get("/api/users/currentuser");
  expect(await session.json()).toEqual({ currentUser: null });
  await other.getByRole("button", { name: "List for sale" }).click();
  await expect(other).toHaveURL(/\/signin\?returnTo=%2Fsell/);
  await expect(other.getByText("Your session has ended.")).toBeVisible();
  await signIn(other, person);
  await expect(other.getByLabel("Title")).toHaveValue(title);
  await expect(other.getByLabel("Starts at")).toHaveValue("2999-06-01T19:30");
  await other.getByRole("button", { name: "List for sale" }).click();
  await expect(other.getByText("Your ticket is listed.")).toBeVisible();
  await other.context().close();
});

test("a person downloads the data of the account, and deletes it", async ({ page, context }) => {
  const person = await signUpIn(context);
  await page.goto("/account");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download your data" }).click();
  const file = await (await download).createReadStream();
  let text = "";
  for await (const part of file) text += part;
  expect(text).toContain(person.email);
  expect(Object.keys(JSON.parse(text))).toEqual(["account", "listings", "orders"]);

  await page.getByLabel("Your password").fill("not the password");
  await page.getByRole("button", { name: "Delete my account" }).click();
  await expect(page.getByText("The present password is wrong.")).toBeVisible();
  await page.getByLabel("Your password").fill(person.password);
  await page.getByRole("button", { name: "Delete my account" }).click();
  await expect(page.getByText("Your account is deleted.")).toBeVisible();
  await signIn(page, person);
  await expect(page.getByText("The e-mail or the password is wrong.")).toBeVisible();
});

test("the token of a mailed link is in the body of its call, and in no address", async ({ page }) => {
  const requests: string[] = [];
  page.on("request", (request) => requests.push(`${request.url()} ${JSON.stringify(request.headers())}`));
  await page.goto("/reset-password#token=s3cret-of-the-mail");
  await expect(page).toHaveURL(/\/reset-password$/);
  await page.getByLabel("New password").fill(newPerson("unused").password);
  const call = page.waitForRequest(/password-reset\/confirm/);
  await page.getByRole("button", { name: "Set the password" }).click();
  expect((await call).postDataJSON()).toMatchObject({ token: "s3cret-of-the-mail" });
  await expect(page.getByRole("heading", { name: "This link no longer works" })).toBeFocused();
  await page.getByRole("link", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  expect(requests.filter((request) => request.includes("s3cret"))).toEqual([]);
  // Nor is it in the history.
  await page.goBack();
  await expect(page).toHaveURL(/\/reset-password$/);
});
