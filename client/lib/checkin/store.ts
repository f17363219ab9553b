/**
 * What this device keeps for checking passes without a network, in IndexedDB: the listing with its keys and void passes,
 * and every scan. Sign-out deletes it; a session that ends otherwise leaves the scans that are not sent yet.
 */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { CheckinCounts, PublicKey, Ticket } from "../api/types";

/** What the server last said about a listing. */
export interface KeptListing extends CheckinCounts {
  ticketId: string;
  /** The seller, who was signed in. */
  userId: string;
  ticket: Pick<Ticket, "title" | "venue" | "startsAt" | "status">;
  keys: PublicKey[];
  /** Milliseconds since the epoch, by this device's clock. */
  updatedAt: number;
}

export interface Refusal {
  reason: "used" | "void" | "other";
  /** When the pass was used, by the server's clock. */
  firstAt: string | null;
  message: string;
}

/** The first scan of a pass on this device. */
export interface Scan {
  passId: string;
  ticketId: string;
  userId: string;
  seat: number;
  code: string;
  /** One per pass and device: a repeated call gets the first answer. */
  idempotencyKey: string;
  /** Milliseconds since the epoch, by this device's clock. */
  scannedAt: number;
  /** When this device said "admit"; null if it has not. */
  admittedAt: number | null;
  /** The server's decision: `waiting` until it is known. */
  state: "waiting" | "accepted" | "refused";
  refusal: Refusal | null;
}

export type Decision = { state: "accepted" } | { state: "refused"; refusal: Refusal };

interface Schema extends DBSchema {
  listings: { key: string; value: KeptListing };
  scans: { key: string; value: Scan; indexes: { ticketId: string; state: Scan["state"] } };
}

const NAME = "checkin";
let database: Promise<IDBPDatabase<Schema>> | undefined;

function open(): Promise<IDBPDatabase<Schema>> {
  database ??= openDB<Schema>(NAME, 1, {
    upgrade(db) {
      db.createObjectStore("listings", { keyPath: "ticketId" });
      const scans = db.createObjectStore("scans", { keyPath: "passId" });
      scans.createIndex("ticketId", "ticketId");
      scans.createIndex("state", "state");
    },
    // A later version of this page, in another tab, changes the schema.
    blocking(_current, _blocked, event) {
      (event.target as IDBDatabase).close();
      database = undefined;
    },
    terminated: () => {
      database = undefined;
    },
  });
  database.catch(() => {
    database = undefined;
  });
  return database;
}

export async function findListing(ticketId: string): Promise<KeptListing | null> {
  return (await (await open()).get("listings", ticketId)) ?? null;
}

export async function saveListing(listing: KeptListing): Promise<void> {
  await (await open()).put("listings", listing);
  announceChange();
}

/** The scan that is kept for this pass: the given one if it is the first. */
export async function recordScan(scan: Scan): Promise<Scan> {
  const transaction = (await open()).transaction("scans", "readwrite");
  const earlier = await transaction.store.get(scan.passId);
  if (!earlier) await transaction.store.add(scan);
  await transaction.done;
  if (!earlier) announceChange();
  return earlier ?? scan;
}

/** Records that this device admits with the pass now. `first` for one caller only, and only if it was not refused. */
export async function admit(passId: string, now: number): Promise<{ scan: Scan; first: boolean }> {
  const transaction = (await open()).transaction("scans", "readwrite");
  const kept = await transaction.store.get(passId);
  const first = kept !== undefined && kept.admittedAt === null && kept.state !== "refused";
  const scan = first ? { ...kept, admittedAt: now } : kept;
  if (scan && first) await transaction.store.put(scan);
  await transaction.done;
  if (!scan) throw new ScanDeletedError();
  if (first) announceChange();
  return { scan, first };
}

/** Records the server's decision; the first one counts. The kept count includes an accepted scan at once. */
export async function decide(passId: string, decision: Decision): Promise<void> {
  const transaction = (await open()).transaction(["listings", "scans"], "readwrite");
  const [listings, scans] = [transaction.objectStore("listings"), transaction.objectStore("scans")];
  const kept = await scans.get(passId);
  if (kept?.state === "waiting") {
    await scans.put({ ...kept, ...decision });
    const listing = await listings.get(kept.ticketId);
    if (listing && decision.state === "accepted") {
      await listings.put({ ...listing, checkedIn: listing.checkedIn + 1 });
    }
  }
  await transaction.done;
  announceChange();
}

/** Another tab has signed out meanwhile. */
class ScanDeletedError extends Error {
  override readonly name = "ScanDeletedError";
}

/** All scans of a listing, the latest first. */
export async function listScans(ticketId: string): Promise<Scan[]> {
  const scans = await (await open()).getAllFromIndex("scans", "ticketId", ticketId);
  return scans.sort((one, other) => other.scannedAt - one.scannedAt);
}

/** Scans without a decision, the oldest first. */
export async function listWaiting(): Promise<Scan[]> {
  const scans = await (await open()).getAllFromIndex("scans", "state", "waiting");
  return scans.sort((one, other) => one.scannedAt - other.scannedAt);
}

/**
 * Deletes all but what only this device has: scans without a decision, and admissions that the server refused. They name no
 * person.
 */
export async function keepOwnScans(): Promise<void> {
  const transaction = (await open()).transaction(["listings", "scans"], "readwrite");
  const scans = transaction.objectStore("scans");
  const decided = (await scans.getAll()).filter(
    ({ state, admittedAt }) => state === "accepted" || (state === "refused" && admittedAt === null),
  );
  await Promise.all([
    transaction.objectStore("listings").clear(),
    ...decided.map(({ passId }) => scans.delete(passId)),
  ]);
  await transaction.done;
  announceChange();
}

export async function clearStore(): Promise<void> {
  const transaction = (await open()).transaction(["listings", "scans"], "readwrite");
  await Promise.all([transaction.objectStore("listings").clear(), transaction.objectStore("scans").clear()]);
  await transaction.done;
  announceChange();
}

/** Reaches the listeners of this page too: each has a channel of its own. */
function announceChange(): void {
  const channel = new BroadcastChannel(NAME);
  channel.postMessage(null);
  channel.close();
}

/** Calls `listener` after a change by this or another tab, until the returned function is called. */
export function onStoreChange(listener: () => void): () => void {
  const channel = new BroadcastChannel(NAME);
  channel.addEventListener("message", listener);
  return () => channel.close();
}
