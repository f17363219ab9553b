/** Times in other time zones, and on days when clocks change. */
import { expect } from "@playwright/test";
import { listTicket, problemsOf, test, uniqueTitle } from "./marketplace";

test.describe("in New York", () => {
  test.use({ timezoneId: "America/New_York" });

  test("a filter's day is a day in the reader's zone, also when the address has no zone", async ({ page, seller }) => {
    const problems = problemsOf(page);
    const series = uniqueTitle("Late show");
    // Just before, the first and the last moment of 14 March 2027, on which clocks change, and just after.
    for (const [name, startsAt] of [
      ["before", "2027-03-14T04:59:59.999Z"],
      ["first", "2027-03-14T05:00:00Z"],
      ["last", "2027-03-15T03:59:59.999Z"],
      ["after", "2027-03-15T04:00:00Z"],
    ] as const) {
      await listTicket(seller, `${series} ${name}`, 10, startsAt);
    }
    const cards = page.getByRole("listitem").filter({ hasText: series });
    await page.goto(`/?q=${encodeURIComponent(series)}&from=2027-03-14&to=2027-03-14&sort=startsAt`);
    await expect(page).toHaveURL(/zone=America%2FNew_York/);
    await expect(page.getByText("Days in the time zone America/New York")).toBeVisible();
    await expect(cards).toHaveCount(2);
    await expect(cards.first()).toContainText("first");
    await expect(cards.last()).toContainText("last");
    // Live updates are filtered in the same way.
    await listTicket(seller, `${series} too late`, 10, "2027-03-15T04:00:00.001Z");
    await listTicket(seller, `${series} in time`, 10, "2027-03-15T03:00:00Z");
    await expect(cards).toHaveCount(3);
    await expect(cards.filter({ hasText: "in time" })).toBeVisible();
    // A shared address keeps the zone of its days.
    await page.goto(`/?q=${encodeURIComponent(series)}&from=2027-03-14&to=2027-03-14&zone=UTC`);
    await expect(page.getByText("Days in the time zone UTC")).toBeVisible();
    await expect(cards.filter({ hasText: "before" })).toBeVisible();
    expect(problems).toEqual([]);
  });
});
