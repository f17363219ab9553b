/** Passes, from the order page to the entrance: the camera, no network, two devices, refunds, and an event called off. */
import { AxeBuilder } from "@axe-core/playwright";
import { type BrowserContext, expect, type Page } from "@playwright/test";
import type { Ticket } from "@/lib/api/types";
import { frameWith, launchWithCamera } from "./camera";
import {
  BASE_URL,
  buyTickets,
  LIVE_UPDATE,
  listTickets,
  OWN_ORIGIN,
  type Person,
  passesOf,
  problemsOf,
  signUpIn,
  test,
  uniqueTitle,
} from "./marketplace";

/** A seller who is signed in to this browser, and their listing. */
async function sellIn(context: BrowserContext): Promise<{ ticket: Ticket; person: Person }> {
  const person = await signUpIn(context);
  return { person, ticket: await listTickets(context.request, uniqueTitle("Lantern walk"), 5) };
}

async function enter(page: Page, code: string): Promise<void> {
  await page.getByLabel("Code of a pass").fill(code);
  await page.getByRole("button", { name: "Check the code" }).click();
}

/** Resolves once the page is in the browser's cache, with everything that it needs. */
async function expectToBeKept(page: Page): Promise<void> {
  await expect
    .poll(
      () =>
        page.evaluate(async () => {
          const registration = await navigator.serviceWorker.getRegistration("/checkin/");
          return registration?.active?.state === "activated" && Boolean(await caches.match("/checkin/"));
        }),
      LIVE_UPDATE,
    )
    .toBe(true);
}

const result = (page: Page) => page.getByRole("alert").filter({ hasText: /admit|Ready|Checking/i });

test("the camera reads a pass from the order page and admits once", async ({ page, context, browser, buyer }) => {
  test.setTimeout(120_000);
  const entrance = await browser.newContext();
  const { ticket, person } = await sellIn(entrance);
  await entrance.close();
  await signUpIn(context);
  const order = await buyTickets(buyer, ticket, 1);
  const [pass] = await passesOf(buyer, order);
  if (!pass) throw new Error("a pass is expected");
  await context.addCookies((await buyer.storageState()).cookies);
  await page.goto(`/orders/${order.id}`);
  await expect(page.getByRole("img", { name: `QR code of the pass for seat ${pass.seat}` })).toBeVisible();
  const frame = await frameWith(page, "img[alt^='QR code']");

  const withCamera = await launchWithCamera(frame);
  try {
    const device = await withCamera.newContext({
      baseURL: BASE_URL,
      viewport: { width: 390, height: 844 },
      permissions: ["camera"],
    });
    const screen = await device.newPage();
    const problems = problemsOf(screen);
    const signedIn = await device.request.post("/api/users/signin", {
      data: person,
      headers: OWN_ORIGIN,
    });
    expect(signedIn.status()).toBe(200);
    await screen.goto(`/tickets/${ticket.id}/sales`);
    await screen.getByRole("link", { name: "Check passes" }).click();
    await expect(screen.getByText("Connected to the server.")).toBeVisible(LIVE_UPDATE);
    await screen.getByRole("button", { name: "Scan with the camera" }).click();
    await expect(result(screen)).toHaveText(`AdmitSeat ${pass.seat}`, LIVE_UPDATE);
    await expect(screen.getByText("1 admitted, 1 ticket sold")).toBeVisible(LIVE_UPDATE);
    expect(await screen.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    const { violations } = await new AxeBuilder({ page: screen }).analyze();
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);

    await enter(screen, pass.code);
    await expect(result(screen)).toContainText(`Do not admitSeat ${pass.seat}. This device admitted this pass at`);
    await enter(screen, "something else");
    await expect(result(screen)).toContainText("This is not the code of a pass.");
    expect(problems).toEqual([]);
  } finally {
    await withCamera.close();
  }
  await page.reload();
  await expect(page.getByText("Used: this pass has admitted its holder")).toBeVisible();
});

test("an entrance works offline, also after a reload, and shows what another device admitted meanwhile", async ({
  page,
  context,
  browser,
  buyer,
}) => {
  test.setTimeout(120_000);
  const { ticket, person } = await sellIn(context);
  const [one, two] = await passesOf(buyer, await buyTickets(buyer, ticket, 2));
  if (!one || !two) throw new Error("two passes are expected");

  await page.goto(`/checkin/${ticket.id}`);
  await expect(page.getByText("Connected to the server.")).toBeVisible(LIVE_UPDATE);
  await expectToBeKept(page);
  const other = await browser.newContext();
  await other.request.post("/api/users/signin", { data: person, headers: OWN_ORIGIN });
  const elsewhere = await other.newPage();
  await elsewhere.goto(`/checkin/${ticket.id}`);
  await expect(elsewhere.getByText("Connected to the server.")).toBeVisible(LIVE_UPDATE);

  await context.setOffline(true);
  await page.reload();
  await expect(page.getByText("Offline.", { exact: true })).toBeVisible(LIVE_UPDATE);
  await enter(page, one.code);
  await expect(result(page)).toContainText(`AdmitSeat ${one.seat}. Decided on this device, without the server.`);
  await page.reload();
  await enter(page, one.code);
  await expect(result(page)).toContainText("This device admitted this pass at");
  await enter(page, two.code);
  await expect(result(page)).toContainText(`AdmitSeat ${two.seat}.`);
  await expect(page.getByText("2 admissions are not sent yet.")).toBeVisible();
  // Nothing else is kept.
  const kept = await page.evaluate(async () =>
    (await (await caches.open("checkin")).keys()).map(({ url }) => new URL(url).pathname),
  );
  expect(kept.filter((path) => !path.startsWith("/_next/static/"))).toEqual(["/checkin/"]);
  expect(await caughtOffline(context, "/listings")).toBe(true);

  await enter(elsewhere, one.code);
  await expect(result(elsewhere)).toHaveText(`AdmitSeat ${one.seat}`);
  await context.setOffline(false);
  await expect(page.getByRole("heading", { name: "1 admission to look into" })).toBeVisible(LIVE_UPDATE);
  await expect(page.getByRole("region", { name: "1 admission to look into" })).toContainText(`Seat ${one.seat}`);
  await expect(page.getByText("2 admitted, 2 tickets sold")).toBeVisible(LIVE_UPDATE);
  await expect(page.getByText(/not sent yet/)).toHaveCount(0);
  await enter(elsewhere, two.code);
  await expect(result(elsewhere)).toContainText(`Do not admitSeat ${two.seat}. This pass was used at`);

  // Signing out deletes what this device kept.
  await page.goto("/");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("link", { name: "Sign up" })).toBeVisible();
  await expect.poll(() => page.evaluate(() => caches.has("checkin"))).toBe(false);
  await page.goto(`/checkin/${ticket.id}`);
  await expect(page.getByRole("heading", { name: "Sign in to check passes" })).toBeVisible();
  await other.close();
});

async function caughtOffline(context: BrowserContext, path: string): Promise<boolean> {
  const page = await context.newPage();
  try {
    await page.goto(path);
    return false;
  } catch {
    return true;
  } finally {
    await page.close();
  }
}

test("a refund and an event called off reach the buyers' open pages, and their passes are void", async ({
  page,
  context,
  browser,
  buyer,
}) => {
  test.setTimeout(120_000);
  const problems = problemsOf(page);
  const { ticket } = await sellIn(context);
  const refunded = await buyTickets(buyer, ticket, 2);
  const lost = await buyTickets(buyer, ticket, 1);
  const reading = await browser.newContext({ storageState: await buyer.storageState() });
  const [first, second] = [await reading.newPage(), await reading.newPage()];
  await first.goto(`/orders/${refunded.id}`);
  await second.goto(`/orders/${lost.id}`);
  await expect(first.getByRole("heading", { name: "Your passes" })).toBeVisible();
  await expect(second.getByRole("heading", { name: "Your pass" })).toBeVisible();

  await page.goto(`/tickets/${ticket.id}`);
  await page.getByRole("link", { name: "Sales and entrance" }).click();
  const sale = page.getByRole("listitem").filter({ hasText: refunded.id });
  await sale.getByRole("button", { name: /^Refund seats? / }).click();
  await page.getByRole("button", { name: "Yes, refund it" }).click();
  await expect(page.getByText("The order is refunded.")).toBeVisible();
  await expect(sale).toHaveCount(0);
  await expect(first.getByText("Your money goes back to you")).toBeVisible(LIVE_UPDATE);
  await expect(first.getByText("The $51.00 that you paid")).toBeVisible();
  await expect(first.getByText("Void: this pass no longer admits")).toHaveCount(2);

  await page.getByRole("button", { name: "Call the event off" }).click();
  await expect(page.getByText("1 ticket sold: the buyers get back the full price")).toBeVisible(LIVE_UPDATE);
  await page.getByRole("button", { name: "Yes, call it off" }).click();
  await expect(page.getByText("You called this event off.")).toBeVisible(LIVE_UPDATE);
  await expect(second.getByText("The event was called off", { exact: true })).toBeVisible(LIVE_UPDATE);
  await expect(second.getByText("The $25.50 that you paid")).toBeVisible();
  await expect(second.getByText("Void: this pass no longer admits")).toBeVisible();
  await reading.close();
  expect(problems).toEqual([]);
});

test("printed, the receipt and each pass have a page of their own", async ({ page, context, seller, buyer }) => {
  const ticket = await listTickets(seller, uniqueTitle("Paper theatre"), 5);
  const order = await buyTickets(buyer, ticket, 3);
  await context.addCookies((await buyer.storageState()).cookies);
  await page.goto(`/orders/${order.id}`);
  await expect(page.getByRole("img", { name: /^QR code/ })).toHaveCount(3);
  await expect(page.getByRole("link", { name: "Add to calendar" })).toHaveAttribute("href", /event\.ics$/);
  const pdf = (await page.pdf({ format: "A4" })).toString("latin1");
  expect(pdf.match(/\/Type\s*\/Page\b/g)).toHaveLength(4);
  await page.emulateMedia({ media: "print" });
  await expect(page.getByRole("button")).toHaveCount(0);
});
