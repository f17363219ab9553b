/** The contact of the check-in page with the server: it goes on after a failure of the device's own storage. */
import "fake-indexeddb/auto";
import { renderHook } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { useCheckin } from "@/hooks/useCheckin";
import { api } from "@/lib/api/browser";

const store = vi.hoisted(() => ({ failures: 0 }));
vi.mock("@/lib/checkin/store", async (original) => {
  const real = await original<typeof import("@/lib/checkin/store")>();
  const saveListing: typeof real.saveListing = async (listing) => {
    if (store.failures-- > 0) throw new DOMException("The database connection is closing.", "InvalidStateError");
    await real.saveListing(listing);
  };
  return { ...real, saveListing };
});

it("a failure of the storage counts as offline, and the next contact is planned", async () => {
  const ticket = { id: "t", title: "Concert", venue: null, startsAt: null, status: "available" };
  vi.spyOn(api, "currentUser").mockResolvedValue({ id: "seller", email: "s@example.com" });
  vi.spyOn(api, "getTicket").mockResolvedValue(ticket as Awaited<ReturnType<typeof api.getTicket>>);
  vi.spyOn(api, "getPassKeys").mockResolvedValue([]);
  vi.spyOn(api, "countCheckins").mockResolvedValue({ sold: 1, checkedIn: 0, void: [] });
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const timers: (() => void)[] = [];
  const later = globalThis.setTimeout;
  // The pauses between two contacts are seconds long.
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms?: number) => {
    if ((ms ?? 0) < 1_000) return later(run, ms);
    timers.push(run);
    return 0;
  }) as typeof setTimeout);
  store.failures = 1;

  const { result } = renderHook(() => useCheckin("t"));
  await vi.waitFor(() => expect(timers).toHaveLength(1), 20_000);
  await vi.waitFor(() => expect(result.current.link).toBe("offline"), 20_000);
  expect(said).toHaveBeenCalledWith(expect.any(DOMException));
}, 60_000);
