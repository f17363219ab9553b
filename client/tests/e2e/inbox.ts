/** The inbox of the stack's mail server: INBOX_URL is its address, from `ticketing up --detach`. */
import { expect } from "@playwright/test";

/** Mails wait for a worker, which a busy machine delays. */
const MAIL = { timeout: 45_000 };

/** Waits for a mail to `email` with a link to `path`, and returns the address of the link. */
export async function mailedLink(email: string, path: "/verify-email" | "/reset-password"): Promise<string> {
  const inbox = process.env.INBOX_URL;
  if (!inbox) throw new Error("INBOX_URL is not set: the address of `inbox` in `ticketing status --json`.");
  let link: string | undefined;
  await expect
    .poll(async () => {
      const response = await fetch(`${inbox}/mails.json?to=${encodeURIComponent(email)}`);
      const mails: { text: string }[] = await response.json();
      const links = mails.flatMap(({ text }) => text.match(/https?:\/\/\S+/g) ?? []);
      link = links.find((address) => new URL(address).pathname === path);
      return link;
    }, MAIL)
    .toBeDefined();
  return link ?? "";
}
