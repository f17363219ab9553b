/** Decides whether a scanned code admits: by this device's records first, then by the server if it answers in time. */
import { newKey } from "../attempt";
import { type PassClaims, verifyPassCode } from "./passCode";
import { isReachable, reportReachable, settle } from "./settle";
import { admit, type KeptListing, recordScan, type Scan } from "./store";

export type Verdict =
  | { admits: true; seat: number; confirmed: boolean }
  | { admits: false; seat: number | null; reason: Reason; firstAt: string | null };

export type Reason =
  /** Not a code of this marketplace. */
  | "invalid"
  /** Signed with a key that this device does not have. */
  | "unknownKey"
  | "otherEvent"
  | "void"
  /** Used elsewhere, or before this device kept records. */
  | "used"
  /** This device admitted with it before. */
  | "repeated"
  /** This device could not keep the scan. */
  | "notStored"
  | "other";

/** How long a person at the entrance waits for the server before this device decides alone. Milliseconds. */
const PATIENCE_MS = 4_000;

export async function checkIn(code: string, listing: KeptListing): Promise<Verdict> {
  const verification = await verifyPassCode(code, listing.keys);
  if (verification.kind !== "pass") return refused(null, verification.kind);
  const { claims } = verification;
  if (claims.ticketId !== listing.ticketId) return refused(null, "otherEvent");
  // The list may have been read while the orders of an event that was called off were still being ended.
  if (listing.ticket.status === "cancelled" || listing.void.includes(claims.passId))
    return refused(claims.seat, "void");

  const scan = await recordScan(newScan(code, claims, listing.userId));
  if (scan.admittedAt !== null) return repeated(scan);
  if (scan.state === "waiting" && isReachable()) await atMost(PATIENCE_MS, settle(scan));
  const { scan: kept, first } = await admit(scan.passId, Date.now());
  if (first) return { admits: true, seat: kept.seat, confirmed: kept.state === "accepted" };
  if (!kept.refusal || kept.admittedAt !== null) return repeated(kept);
  return refused(kept.seat, kept.refusal.reason, kept.refusal.firstAt);
}

function newScan(code: string, { passId, ticketId, seat }: PassClaims, userId: string): Scan {
  return {
    passId,
    ticketId,
    userId,
    seat,
    code,
    idempotencyKey: newKey(),
    scannedAt: Date.now(),
    admittedAt: null,
    state: "waiting",
    refusal: null,
  };
}

function refused(seat: number | null, reason: Reason, firstAt: string | null = null): Verdict {
  return { admits: false, seat, reason, firstAt };
}

function repeated({ seat, admittedAt }: Scan): Verdict {
  return refused(seat, "repeated", admittedAt === null ? null : new Date(admittedAt).toISOString());
}

/** Resolves with the promise, or after this time; the promise goes on. */
async function atMost(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      reportReachable(false);
      resolve();
    }, milliseconds);
  });
  try {
    await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Passes that this device admitted and that the server then refused: used at another device, or void. */
export function conflictsOf(scans: Scan[]): Scan[] {
  return scans.filter(({ state, admittedAt }) => state === "refused" && admittedAt !== null);
}

/** Check-ins known to the server, and those that it does not know yet. */
export function countAdmitted(listing: KeptListing, scans: Scan[]): number {
  return listing.checkedIn + scans.filter(({ state, admittedAt }) => state === "waiting" && admittedAt !== null).length;
}
