/** Wall times, days and forms in zones whose clocks change: by an hour, by half an hour, at midnight, by a whole day. */
import { describe, expect, it, vi } from "vitest";
import { dayErrors, readBrowseState, ticketQuery } from "@/lib/browseQuery";
import { boundsOfDay } from "@/lib/calendarDays";
import { formatDateTime, stubDate } from "@/lib/format";
import { isosFromLocalInput, localInputFromIso } from "@/lib/localInput";
import { startsAtFrom, whichOf } from "@/lib/startsAt";
import { instantsOf, knownZone, skippedAround, startOfDay } from "@/lib/timeZone";

const HOUR = 3_600_000;
const at = (iso: string) => Date.parse(iso);

/** The time that Intl shows; every engine's time zone data comes from it. */
function shownBy(zone: string) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  return (instant: number) => {
    const [, d, m, y, time] = /(\d\d)\/(\d\d)\/(\d{4}), (.+)/.exec(format.format(instant)) ?? [];
    return Date.parse(`${y}-${m}-${d}T${time}Z`);
  };
}

/** Zone, and days on which its clocks change or might be expected to. */
const CHANGES: [string, string[]][] = [
  ["America/New_York", ["2026-03-08", "2026-11-01"]],
  ["Europe/Berlin", ["2026-03-29", "2026-10-25"]],
  ["Australia/Lord_Howe", ["2026-04-05", "2026-10-04"]],
  ["America/Sao_Paulo", ["2018-02-17", "2018-11-04", "2026-11-01"]],
  ["Asia/Kolkata", ["2026-03-29"]],
  ["Pacific/Apia", ["2011-09-24", "2011-12-29", "2012-04-01"]],
  ["America/Havana", ["2026-03-08", "2026-11-01"]],
  ["America/St_Johns", ["2026-03-08", "2026-11-01"]],
  ["UTC", ["2026-03-29"]],
];

describe.each(CHANGES)("in %s", (zone, days) => {
  const shown = shownBy(zone);
  const step = 5 * 60_000;

  it.each(days)("every wall time around %s has the instants at which clocks show it", (day) => {
    const from = at(`${day}T00:00Z`) - 36 * HOUR;
    const to = from + 108 * HOUR;
    const instants = new Map<number, number[]>();
    for (let instant = from; instant < to; instant += step)
      instants.set(shown(instant), [...(instants.get(shown(instant)) ?? []), instant]);
    // A day at either end, and Apia's missing one, may be outside the collected range.
    for (let wall = shown(from) + 26 * HOUR; wall < shown(to) - 26 * HOUR; wall += step)
      expect(instantsOf(wall, zone), new Date(wall).toISOString()).toEqual(instants.get(wall) ?? []);
  });

  it.each(days)("the days around %s start and end at midnight, without a gap", (day) => {
    for (let n = -1; n <= 1; n++) {
      const midnight = at(`${day}T00:00Z`) + n * 24 * HOUR;
      const [today, tomorrow] = [midnight, midnight + 24 * HOUR].map((it) => new Date(it).toISOString().slice(0, 10));
      const bounds = boundsOfDay(today ?? "", zone);
      if (!bounds) throw new Error("no such day");
      expect(at(bounds.to) + 1).toBe(at(boundsOfDay(tomorrow ?? "", zone)?.from ?? ""));
      if (at(bounds.from) > at(bounds.to)) continue; // The day that Apia skipped.
      expect(shown(at(bounds.from))).toBeGreaterThanOrEqual(midnight);
      expect(shown(at(bounds.from) - 1000)).toBeLessThan(midnight);
      expect(shown(at(bounds.to))).toBeGreaterThanOrEqual(midnight + 22 * HOUR);
    }
  });

  it.each(days)("an untouched form around %s keeps every start to the millisecond", (day) => {
    for (
      let instant = at(`${day}T00:00:17.123Z`) - 24 * HOUR;
      instant < at(`${day}T00:00Z`) + 48 * HOUR;
      instant += step
    ) {
      const before = new Date(instant).toISOString();
      const text = localInputFromIso(before, zone);
      const data = new FormData();
      data.set("startsAt", text);
      data.set("startsAtWhich", whichOf(before, isosFromLocalInput(text, zone)));
      expect(startsAtFrom(data, before, zone)).toBe(before);
    }
  });
});

describe("a day as a filter", () => {
  it.each([
    ["America/New_York", "2026-03-08", "2026-03-08T05:00:00.000Z", "2026-03-09T03:59:59.999Z"],
    ["America/New_York", "2026-11-01", "2026-11-01T04:00:00.000Z", "2026-11-02T04:59:59.999Z"],
    ["Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00.000Z", "2026-10-25T22:59:59.999Z"],
    ["Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00.000Z", "2026-04-05T13:29:59.999Z"],
    ["Asia/Kolkata", "2026-05-01", "2026-04-30T18:30:00.000Z", "2026-05-01T18:29:59.999Z"],
    ["America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00.000Z", "2018-11-05T01:59:59.999Z"],
    ["America/Havana", "2026-11-01", "2026-11-01T04:00:00.000Z", "2026-11-02T04:59:59.999Z"],
    ["Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00.000Z", "2011-12-31T09:59:59.999Z"],
    ["UTC", "2026-05-01", "2026-05-01T00:00:00.000Z", "2026-05-01T23:59:59.999Z"],
    // Limited to the range of RFC 3339 times.
    ["America/New_York", "9999-12-31", "9999-12-31T05:00:00.000Z", "9999-12-31T23:59:59.999Z"],
    ["Asia/Kolkata", "0001-01-01", "0001-01-01T00:00:00.000Z", "0001-01-01T18:06:31.999Z"],
  ])("in %s, %s is from %s to %s", (zone, day, from, to) => {
    expect(boundsOfDay(day, zone)).toEqual({ from, to });
    expect(ticketQuery(readBrowseState({ from: day, to: day, zone }))).toMatchObject({ from, to });
  });

  it("is in the reader's own zone if the address has no zone", () => {
    vi.stubEnv("TZ", "America/New_York");
    expect(ticketQuery(readBrowseState({ from: "2026-03-08" })).from).toBe("2026-03-08T05:00:00.000Z");
  });

  it("is refused if it does not exist", () => {
    for (const day of ["2026-02-30", "2026-13-01", "12026-01-01", "tomorrow", "2026-01-01T00:00:00Z"]) {
      expect(Object.keys(dayErrors(readBrowseState({ from: day, to: "2026-01-01" })))).toEqual(["from"]);
    }
    expect(dayErrors(readBrowseState({}))).toEqual({});
  });
});

it("a zone has the runtime's spelling, independent of the address", () => {
  expect(knownZone("europe/BERLIN")).toBe("Europe/Berlin");
  for (const name of ["", "Mars/Base", "../../etc", "Europe/Berlin;x", "x".repeat(100_000)])
    expect(knownZone(name)).toBe("");
});

it("a skipped time is between the wall times before and after it", () => {
  const skipped = skippedAround(at("2026-03-08T02:30Z"), "America/New_York");
  expect(skipped).toEqual({ at: at("2026-03-08T07:00Z"), from: at("2026-03-08T02:00Z"), to: at("2026-03-08T03:00Z") });
  expect(startOfDay(at("2011-12-30T00:00Z"), "Pacific/Apia")).toBe(at("2011-12-30T10:00Z"));
});

describe("the form's start", () => {
  const form = (startsAt: string, which?: string) => {
    const data = new FormData();
    data.set("startsAt", startsAt);
    if (which !== undefined) data.set("startsAtWhich", which);
    return data;
  };
  const refused = (data: FormData, zone: string, before: string | null = null) => {
    try {
      startsAtFrom(data, before, zone);
    } catch (error) {
      return (error as { fieldErrors: Record<string, string> }).fieldErrors;
    }
    throw new Error("accepted");
  };

  it.each([
    ["America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00.000Z", "2026-11-01T06:30:00.000Z"],
    ["Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00:00.000Z", "2026-10-25T01:00:00.000Z"],
    ["Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45:00.000Z", "2026-04-04T15:15:00.000Z"],
    ["America/Sao_Paulo", "2018-02-17T23:15", "2018-02-18T01:15:00.000Z", "2018-02-18T02:15:00.000Z"],
  ])("in %s, %s occurs twice and needs a choice", (zone, text, earlier, later) => {
    expect(startsAtFrom(form(text, "earlier"), null, zone)).toBe(earlier);
    expect(startsAtFrom(form(text, "later"), null, zone)).toBe(later);
    expect(refused(form(text, ""), zone).startsAtWhich).toContain("twice");
    expect(refused(form(text), zone).startsAtWhich).toContain("twice");
    // Only the choice changes.
    expect(startsAtFrom(form(text, "later"), earlier, zone)).toBe(later);
    expect(startsAtFrom(form(text, "earlier"), later, zone)).toBe(earlier);
  });

  it.each([
    ["America/New_York", "2026-03-08T02:30", "Mar 8, 2026, 2:00 AM to Mar 8, 2026, 3:00 AM"],
    ["Europe/Berlin", "2026-03-29T02:00", "Mar 29, 2026, 2:00 AM to Mar 29, 2026, 3:00 AM"],
    ["Australia/Lord_Howe", "2026-10-04T02:29", "Oct 4, 2026, 2:00 AM to Oct 4, 2026, 2:30 AM"],
    ["America/Sao_Paulo", "2018-11-04T00:30", "Nov 4, 2018, 12:00 AM to Nov 4, 2018, 1:00 AM"],
    ["Pacific/Apia", "2011-12-30T12:00", "Dec 30, 2011, 12:00 AM to Dec 31, 2011, 12:00 AM"],
  ])("in %s, %s does not exist, and the form says why", (zone, text, stretch) => {
    expect(refused(form(text, "earlier"), zone).startsAt).toContain(stretch);
  });

  it("is null when it is empty, and refused when it is invalid", () => {
    expect(startsAtFrom(form(""), "2026-05-01T00:00:00Z", "UTC")).toBeNull();
    for (const text of ["2026-05-01", "soon", "2026-05-01T25:00"])
      expect(refused(form(text), "UTC")).toHaveProperty("startsAt");
  });

  it("keeps an untouched start, and changes an edited one", () => {
    const before = "2026-07-01T19:30:45.678+00:00";
    expect(startsAtFrom(form("2026-07-01T15:30", ""), before, "America/New_York")).toBe(before);
    expect(startsAtFrom(form("2026-07-01T15:31", ""), before, "America/New_York")).toBe("2026-07-01T19:31:00.000Z");
  });

  it("supports years of five digits", () => {
    const before = "9999-12-31T23:59:59Z";
    expect(localInputFromIso(before, "Asia/Kolkata")).toBe("10000-01-01T05:29");
    expect(startsAtFrom(form("10000-01-01T05:29"), before, "Asia/Kolkata")).toBe(before);
    expect(isosFromLocalInput("10000-01-01T05:28", "Asia/Kolkata")).toEqual(["9999-12-31T23:58:00.000Z"]);
  });
});

describe("a time on a page", () => {
  it.each([
    ["America/New_York", "2026-11-01T05:30:00Z", "Nov 1, 2026, 1:30 AM (UTC−4)"],
    ["America/New_York", "2026-11-01T06:30:00Z", "Nov 1, 2026, 1:30 AM (UTC−5)"],
    ["America/New_York", "2026-11-01T04:59:59Z", "Nov 1, 2026, 12:59 AM"],
    ["America/New_York", "2026-11-01T07:00:00Z", "Nov 1, 2026, 2:00 AM"],
    ["America/New_York", "2026-03-08T07:00:00Z", "Mar 8, 2026, 3:00 AM"],
    ["Europe/Berlin", "2026-10-25T01:30:00Z", "Oct 25, 2026, 2:30 AM (UTC+1)"],
    ["Australia/Lord_Howe", "2026-04-04T14:45:00Z", "Apr 5, 2026, 1:45 AM (UTC+11)"],
    ["Australia/Lord_Howe", "2026-04-04T15:15:00Z", "Apr 5, 2026, 1:45 AM (UTC+10:30)"],
    ["Asia/Kolkata", "2026-05-01T00:00:00Z", "May 1, 2026, 5:30 AM"],
    ["Pacific/Apia", "2011-12-30T10:00:00Z", "Dec 31, 2011, 12:00 AM"],
  ])("in %s, %s is %s", (zone, iso, text) => {
    vi.stubEnv("TZ", zone);
    expect(formatDateTime(iso)).toBe(text);
  });

  it("has the offset if requested", () => {
    vi.stubEnv("TZ", "America/St_Johns");
    expect(formatDateTime("2026-07-01T12:00:00Z", "local", "always")).toBe("Jul 1, 2026, 9:30 AM (UTC−2:30)");
    vi.stubEnv("TZ", "Europe/London");
    expect(formatDateTime("2026-01-01T12:00:00Z", "local", "always")).toBe("Jan 1, 2026, 12:00 PM (UTC)");
    expect(formatDateTime("2026-01-01T12:00:00Z", "UTC", "always")).toBe("Jan 1, 2026, 12:00 PM (UTC)");
  });

  it.each(CHANGES)("has the same day in %s as Intl", (zone, days) => {
    vi.stubEnv("TZ", zone);
    const intl = new Intl.DateTimeFormat("en-US", { timeZone: zone, month: "short", day: "numeric", weekday: "short" });
    for (const day of days) {
      for (
        let instant = at(`${day}T00:00Z`) - 24 * HOUR;
        instant < at(`${day}T00:00Z`) + 48 * HOUR;
        instant += HOUR / 2
      ) {
        const { month, day: shown, weekday } = stubDate(new Date(instant).toISOString());
        expect(`${weekday}, ${month} ${shown}`).toBe(intl.format(instant));
      }
    }
  });
});
