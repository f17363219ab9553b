/** Small modules: clock, attempts, addresses, cards, times. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { localError, unreachable } from "@/lib/api/errors";
import { Attempt } from "@/lib/attempt";
import { browsePath, readBrowseState, ticketQuery } from "@/lib/browseQuery";
import { ServerClock } from "@/lib/clock";
import { formatDateTime, formatPrice, formatRemaining, formatWait } from "@/lib/format";
import { groupExpiry, groupNumber, readCard } from "@/lib/payments/cardData";

describe("the server's clock", () => {
  afterEach(() => void vi.useRealTimers());

  it("uses the page's rendering time until a response is observed, and only for a wrong clock", () => {
    const server = Date.parse("2026-01-01T12:00:00Z");
    for (const wrongBy of [-600_000, 600_000]) {
      vi.useFakeTimers({ now: server + wrongBy });
      const clock = new ServerClock();
      clock.observeRendering(server);
      expect(clock.now()).toBe(server);
      clock.observe("Thu, 01 Jan 2026 12:00:03 GMT", server + wrongBy, server + wrongBy);
      clock.observeRendering(server - 60_000);
      expect(clock.now()).toBe(server + 3_500);
    }
    vi.useFakeTimers({ now: server + 2_000 });
    const right = new ServerClock();
    right.observeRendering(server);
    expect(right.now()).toBe(server + 2_000);
  });

  const local = Date.parse("2026-01-01T12:00:00Z");

  it("corrects a computer that is five minutes wrong", () => {
    vi.useFakeTimers({ now: local });
    const clock = new ServerClock();
    clock.observe("Thu, 01 Jan 2026 12:05:00 GMT", local - 20, local);
    expect(Math.abs(clock.now() - Date.parse("2026-01-01T12:05:00.5Z"))).toBeLessThan(50);
    // A slow response is less exact than the quick one before.
    clock.observe("Thu, 01 Jan 2026 12:09:00 GMT", local - 4000, local);
    expect(clock.now()).toBeLessThan(Date.parse("2026-01-01T12:06:00Z"));
  });

  it("does not correct a correct clock, and ignores a missing header", () => {
    vi.useFakeTimers({ now: local });
    const clock = new ServerClock();
    clock.observe(null, local, local);
    clock.observe("Thu, 01 Jan 2026 12:00:00 GMT", local - 10, local);
    expect(clock.now()).toBe(local);
  });
});

describe("an attempt", () => {
  it("keeps its key while the outcome is unknown, and uses a new one after a response or for other input", async () => {
    const attempt = new Attempt();
    const keys: string[] = [];
    const run = (input: string, fail?: Error) =>
      attempt
        .run(input, async (key) => {
          keys.push(key);
          if (fail) throw fail;
        })
        .catch(() => {});
    await run("a", unreachable());
    await run("a", localError(409));
    await run("a", unreachable());
    await run("b");
    const [first, second, third, fourth] = keys;
    expect(second).toBe(first);
    expect(third).not.toBe(second);
    expect(fourth).not.toBe(third);
    expect(first).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("the browse address", () => {
  it("survives a round trip and leaves defaults out", () => {
    expect(browsePath(readBrowseState({}))).toBe("/");
    const path = "/?q=rock+night&minPrice=5&from=2026-05-01&sort=-price&pages=3";
    expect(browsePath(readBrowseState(Object.fromEntries(new URLSearchParams(path.slice(2)))))).toBe(path);
  });

  it("ignores nonsense", () => {
    const state = readBrowseState({ sort: "evil", pages: "-4", zone: "Mars/Olympus Mons", q: "  " });
    expect(state).toMatchObject({ sort: "newest", pages: 1, zone: "", q: "" });
    expect(Object.values(ticketQuery(state)).filter(Boolean)).toEqual(["newest"]);
  });

  it("has a zone only together with days", () => {
    const path = "/?from=2026-05-01&zone=Europe%2FBerlin";
    expect(browsePath(readBrowseState(Object.fromEntries(new URLSearchParams(path.slice(2)))))).toBe(path);
    expect(browsePath(readBrowseState({ q: "rock", zone: "Europe/Berlin" }))).toBe("/?q=rock");
  });
});

describe("card data", () => {
  const now = new Date("2026-06-15T00:00:00Z");

  it("is grouped while it is typed", () => {
    expect(groupNumber("4242-42424")).toBe("4242 4242 4");
    expect(groupExpiry("1230")).toBe("12 / 30");
  });

  it("is accepted when it is complete", () => {
    expect(readCard("4242 4242 4242 4242", "6 / 26", "123", now)).toEqual({
      number: "4242424242424242",
      exp_month: "6",
      exp_year: "2026",
      cvc: "123",
    });
  });

  it("has an error for each invalid field", () => {
    expect(Object.keys(readCard("4242", "13 / 30", "12", now))).toEqual(["number", "expiry", "cvc"]);
    expect(readCard("4242424242424242", "05 / 26", "123", now)).toHaveProperty("expiry", "This card has expired.");
  });
});

describe("money and time", () => {
  it("are formatted for display", () => {
    expect(formatPrice(1234.5, "usd")).toBe("$1,234.50");
    expect(formatPrice(1_000_000, "usd")).toBe("$1,000,000.00");
    expect(formatPrice(0.01, "eur")).toBe("EUR 0.01");
    expect([formatRemaining(900_000), formatRemaining(59_001), formatRemaining(-5)]).toEqual(["15:00", "1:00", "0:00"]);
    expect([1, 41.2, 89, 90, 720].map(formatWait)).toEqual([
      "1 second",
      "42 seconds",
      "89 seconds",
      "2 minutes",
      "12 minutes",
    ]);
  });

  it("match Intl in every zone and season", () => {
    for (const zone of ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]) {
      vi.stubEnv("TZ", zone);
      for (const iso of [
        "2026-01-01T00:00:00Z",
        "2026-03-08T07:00:00Z",
        "2026-07-01T11:59:59Z",
        "2999-12-31T23:30:00Z",
      ]) {
        const intl = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "short", timeZone: zone });
        expect(formatDateTime(iso)).toBe(intl.format(new Date(iso)).replace(/\s+(?=[AP]M)/u, " "));
      }
    }
    expect(formatDateTime("2026-07-01T00:05:00Z", "UTC")).toBe("Jul 1, 2026, 12:05 AM");
  });
});
