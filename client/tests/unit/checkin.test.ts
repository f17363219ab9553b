// @vitest-environment jsdom
/** Scans at an entrance: decided by this device's records and the server, offline and online, and settled later. */
import "fake-indexeddb/auto";
import { generateKeyPairSync, sign } from "node:crypto";
import { afterEach, beforeEach, expect, it, type MockInstance, vi } from "vitest";
import { api } from "@/lib/api/browser";
import { localError } from "@/lib/api/errors";
import type { PublicKey } from "@/lib/api/types";
import { checkIn, conflictsOf, countAdmitted } from "@/lib/checkin/checkIn";
import { refusalOf, settleWaiting } from "@/lib/checkin/settle";
import { countUnsent, forgetCheckins, forgetLoaded } from "@/lib/checkin/signOut";
import { clearStore, findListing, type KeptListing, listScans, onStoreChange, saveListing } from "@/lib/checkin/store";
import { conflict } from "./fetched";

const TICKET = "b".repeat(24);
const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const { x = "" } = publicKey.export({ format: "jwk" });
const KEY: PublicKey = { kty: "OKP", crv: "Ed25519", x, kid: "k", use: "sig", alg: "EdDSA" };

const listing: KeptListing = {
  ticketId: TICKET,
  userId: "seller",
  ticket: { title: "Concert", venue: null, startsAt: null, status: "available" },
  keys: [KEY],
  sold: 5,
  checkedIn: 1,
  void: [passId(9)],
  updatedAt: 0,
};

function passId(seat: number): string {
  return seat.toString(16).padStart(24, "0");
}

function code(seat: number, ticket = TICKET): string {
  const parts = [
    { alg: "EdDSA", kid: "k" },
    { pass: passId(seat), ticket, seat },
  ];
  const content = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${content}.${sign(null, Buffer.from(content), privateKey).toString("base64url")}`;
}

vi.setConfig({ testTimeout: 20_000 });
/** For a machine that stalls. Milliseconds. */
const PATIENT = { timeout: 10_000 };

let server: MockInstance<typeof api.checkIn>;
let online: MockInstance<() => boolean>;

beforeEach(async () => {
  server = vi.spyOn(api, "checkIn");
  online = vi.spyOn(navigator, "onLine", "get").mockReturnValue(true);
  await clearStore();
  accept();
  // The last test may have ended with an unreachable server.
  await checkIn(code(1000), listing);
  await settleWaiting("seller");
  await clearStore();
  server.mockClear();
});
afterEach(() => vi.useRealTimers());

function accept(): void {
  server.mockImplementation(async () => ({
    id: "c",
    passId: "p",
    ticketId: TICKET,
    seat: 1,
    checkedInAt: "2026-06-01T19:00:00Z",
  }));
}

it("an accepted scan admits, and the same pass is then refused at once without a call", async () => {
  await saveListing(listing);
  expect(await checkIn(code(1), listing)).toEqual({ admits: true, seat: 1, confirmed: true });
  expect(await checkIn(code(1), listing)).toMatchObject({ admits: false, reason: "repeated", seat: 1 });
  expect((await findListing(TICKET))?.checkedIn).toBe(2);
  expect(server).toHaveBeenCalledTimes(1);
});

it("what the server refuses is refused, with the time of the first check-in, and stays refused offline", async () => {
  server.mockRejectedValue(conflict({ passStatus: "used", firstAt: "2026-06-01T18:00:00Z" }));
  const used = { admits: false, seat: 1, reason: "used", firstAt: "2026-06-01T18:00:00Z" };
  expect(await checkIn(code(1), listing)).toEqual(used);
  online.mockReturnValue(false);
  expect(await checkIn(code(1), listing)).toEqual(used);
  expect(conflictsOf(await listScans(TICKET))).toEqual([]);
});

it("a void pass, an event that is called off, another event and a forged code are refused without a call", async () => {
  expect(await checkIn(code(9), listing)).toMatchObject({ admits: false, reason: "void", seat: 9 });
  const calledOff: KeptListing = { ...listing, ticket: { ...listing.ticket, status: "cancelled" } };
  expect(await checkIn(code(1), calledOff)).toMatchObject({ admits: false, reason: "void", seat: 1 });
  expect(await checkIn(code(1, "c".repeat(24)), listing)).toMatchObject({ admits: false, reason: "otherEvent" });
  expect(await checkIn("not a code", listing)).toMatchObject({ admits: false, reason: "invalid" });
  expect(await listScans(TICKET)).toEqual([]);
  expect(server).not.toHaveBeenCalled();
});

it("offline, this device decides alone; the scan is sent later with its own key, and counted once", async () => {
  online.mockReturnValue(false);
  expect(await checkIn(code(1), listing)).toEqual({ admits: true, seat: 1, confirmed: false });
  expect(await checkIn(code(2), listing)).toEqual({ admits: true, seat: 2, confirmed: false });
  expect(server).not.toHaveBeenCalled();
  expect(countAdmitted(listing, await listScans(TICKET))).toBe(3);
  expect(await countUnsent()).toBe(2);

  online.mockReturnValue(true);
  expect(await settleWaiting("seller")).toBe("decided");
  expect(server.mock.calls.map(([{ code: sent }]) => sent)).toEqual([code(1), code(2)]);
  expect(new Set(server.mock.calls.map(([, key]) => key)).size).toBe(2);
  expect(await countUnsent()).toBe(0);
  expect(countAdmitted(listing, await listScans(TICKET))).toBe(1);
  await settleWaiting("seller");
  expect(server).toHaveBeenCalledTimes(2);
});

it("what another device admitted meanwhile is a conflict, and so is a pass that became void", async () => {
  online.mockReturnValue(false);
  await checkIn(code(1), listing);
  await checkIn(code(2), listing);
  await checkIn(code(3), listing);
  online.mockReturnValue(true);
  server.mockRejectedValueOnce(conflict({ passStatus: "used", firstAt: "2026-06-01T18:00:00Z" }));
  server.mockRejectedValueOnce(conflict({ passStatus: "void" }));
  expect(await settleWaiting("seller")).toBe("decided");
  const conflicts = conflictsOf(await listScans(TICKET)).sort((one, other) => one.seat - other.seat);
  expect(conflicts.map(({ seat, refusal }) => [seat, refusal?.reason, refusal?.firstAt])).toEqual([
    [1, "used", "2026-06-01T18:00:00Z"],
    [2, "void", null],
  ]);
  // The pass stays refused here: this device has admitted with it.
  expect(await checkIn(code(1), listing)).toMatchObject({ admits: false, reason: "repeated" });
});

it("a lost answer is asked for again with the same key", async () => {
  server.mockRejectedValueOnce(localError(0));
  expect(await checkIn(code(1), listing)).toEqual({ admits: true, seat: 1, confirmed: false });
  await settleWaiting("seller");
  const [first, second] = server.mock.calls;
  expect(second).toEqual([first?.[0], first?.[1], expect.anything()]);
  expect(conflictsOf(await listScans(TICKET))).toEqual([]);
});

it("while the server does not answer, people do not wait for it: the first scan waits, the next does not", async () => {
  let answer = () => {};
  server.mockImplementation(() => new Promise((_resolve, reject) => (answer = () => reject(localError(0)))));
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const first = checkIn(code(1), listing);
  await vi.waitFor(() => expect(server).toHaveBeenCalledTimes(1), PATIENT);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(await first).toEqual({ admits: true, seat: 1, confirmed: false });
  expect(await checkIn(code(2), listing)).toEqual({ admits: true, seat: 2, confirmed: false });
  expect(server).toHaveBeenCalledTimes(1);
  answer();
});

it("the server's decision counts if it arrives before the result is shown, and is a conflict after that", async () => {
  let refuse = () => {};
  server.mockImplementation(
    () => new Promise((_resolve, reject) => (refuse = () => reject(conflict({ passStatus: "void" })))),
  );
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const late = checkIn(code(1), listing);
  await vi.waitFor(() => expect(server).toHaveBeenCalledTimes(1), PATIENT);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(await late).toMatchObject({ admits: true, confirmed: false });
  refuse();
  await vi.waitFor(async () => expect(conflictsOf(await listScans(TICKET))).toHaveLength(1), PATIENT);
});

it("two scans of one pass at the same instant admit once", async () => {
  for (const connected of [true, false]) {
    online.mockReturnValue(connected);
    const seat = connected ? 1 : 2;
    const verdicts = await Promise.all([1, 2, 3].map(() => checkIn(code(seat), listing)));
    expect(verdicts.filter(({ admits }) => admits)).toHaveLength(1);
  }
});

it("the end of the session does not stop admissions, and keeps the scans for the account that made them", async () => {
  server.mockRejectedValue(localError(401));
  expect(await checkIn(code(1), listing)).toEqual({ admits: true, seat: 1, confirmed: false });
  expect(await settleWaiting("seller")).toBe("signedOut");
  accept();
  server.mockClear();
  expect(await settleWaiting("another account")).toBe("decided");
  expect(server).not.toHaveBeenCalled();
  expect(await settleWaiting("seller")).toBe("decided");
  expect(server).toHaveBeenCalledTimes(1);
});

it("settling stops at the first scan without an answer", async () => {
  online.mockReturnValue(false);
  for (const seat of [1, 2, 3]) await checkIn(code(seat), listing);
  server.mockRejectedValue(localError(503));
  expect(await settleWaiting("seller")).toBe("unreachable");
  expect(server).toHaveBeenCalledTimes(1);
  expect(await countUnsent()).toBe(3);
});

it.each([0, 408, 429, 500, 502, 503, 504])("status %i decides nothing", (status) => {
  expect(refusalOf(localError(status))).toBeNull();
});

it("a first call that still runs decides nothing", () => {
  expect(refusalOf(conflict({ title: "Still running" }))).toBeNull();
});

it("signing out deletes the listing and the scans, and open pages notice it", async () => {
  await saveListing(listing);
  await checkIn(code(1), listing);
  const noticed = vi.fn();
  const leave = onStoreChange(noticed);
  await forgetCheckins();
  await vi.waitFor(() => expect(noticed).toHaveBeenCalled(), PATIENT);
  leave();
  expect(await findListing(TICKET)).toBeNull();
  expect(await listScans(TICKET)).toEqual([]);
});

it("a session that ends without a sign-out here leaves only what the server does not have", async () => {
  await saveListing(listing);
  await checkIn(code(1), listing);
  server.mockRejectedValueOnce(conflict({ passStatus: "used", firstAt: "2026-06-01T18:00:00Z" }));
  await checkIn(code(2), listing);
  online.mockReturnValue(false);
  await checkIn(code(3), listing);
  await forgetLoaded();
  expect(await findListing(TICKET)).toBeNull();
  expect((await listScans(TICKET)).map(({ seat }) => seat)).toEqual([3]);

  online.mockReturnValue(true);
  accept();
  expect(await settleWaiting("seller")).toBe("decided");
  expect(await countUnsent()).toBe(0);
});
