/** A listing at its entrance: what this device keeps, the server's latest word, and the scans on their way to it. */
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import { checkIn as decide, type Verdict } from "@/lib/checkin/checkIn";
import { isReachable, reportReachable, type Settlement, settleWaiting } from "@/lib/checkin/settle";
import { findListing, type KeptListing, listScans, onStoreChange, type Scan, saveListing } from "@/lib/checkin/store";

/** Milliseconds between two requests to the server while it answers, and at most while it does not. */
const REFRESH_MS = 15_000;
const LONGEST_PAUSE_MS = 60_000;

/** Why the page may not be current: no network, no session, or not the seller's listing. */
export type Link = "loading" | "online" | "offline" | "signedOut" | "forbidden" | "missing";

interface CheckinState {
  /** Null while it loads, and on a device that has not kept it. */
  listing: KeptListing | null;
  scans: Scan[];
  link: Link;
  checkIn: (code: string) => Promise<Verdict>;
}

/** `ticketId` is undefined until the address is known. */
export function useCheckin(ticketId: string | undefined): CheckinState {
  const [listing, setListing] = useState<KeptListing | null>(null);
  const [scans, setScans] = useState<Scan[]>([]);
  const [link, setLink] = useState<Link>("loading");

  useEffect(() => {
    if (!ticketId) return;
    let current = true;
    const show = async () => {
      const [kept, own] = await Promise.all([findListing(ticketId), listScans(ticketId)]);
      if (!current) return;
      setListing(kept);
      setScans(own);
    };
    void show();
    const leave = onStoreChange(() => void show());
    return () => {
      current = false;
      leave();
    };
  }, [ticketId]);

  const contact = useCallback(async (): Promise<Link> => {
    if (!ticketId) return "loading";
    const [latest, fresh] = await loadListing(ticketId);
    if (fresh) await saveListing(fresh);
    // The kept listing tells whose scans these are when the server does not.
    const owner = fresh?.userId ?? (await findListing(ticketId))?.userId;
    if (!owner || latest !== "online") return latest;
    return LINKS[await settleWaiting(owner)];
  }, [ticketId]);

  useLoop(contact, setLink, ticketId !== undefined);

  const checkIn = useCallback(
    async (code: string): Promise<Verdict> => {
      if (!listing) throw new Error("the listing is not loaded");
      const verdict = await decide(code, listing);
      if (verdict.admits || verdict.reason !== "unknownKey" || !isReachable()) return verdict;
      // The key may be newer than the kept ones.
      const [, fresh] = await loadListing(listing.ticketId);
      if (!fresh) return verdict;
      await saveListing(fresh);
      return decide(code, fresh);
    },
    [listing],
  );

  return { listing, scans, link, checkIn };
}

const LINKS: Record<Settlement, Link> = {
  decided: "online",
  unreachable: "offline",
  signedOut: "signedOut",
  forbidden: "forbidden",
};

/** The server's word on the listing, or why there is none. */
async function loadListing(ticketId: string): Promise<[Link, KeptListing | null]> {
  try {
    const [user, ticket, keys, counts] = await Promise.all([
      api.currentUser(),
      api.getTicket(ticketId),
      api.getPassKeys(),
      api.countCheckins(ticketId),
    ]);
    reportReachable(true);
    if (!user) return ["signedOut", null];
    const { title, venue, startsAt, status } = ticket;
    const listing = { ...counts, ticketId, userId: user.id, keys, ticket: { title, venue, startsAt, status } };
    return ["online", { ...listing, updatedAt: Date.now() }];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) return ["signedOut", null];
    if (error.status === 403) return ["forbidden", null];
    if (error.status === 404) return ["missing", null];
    reportReachable(false);
    return ["offline", null];
  }
}

/** Contacts the server at once, when the network is back, and then regularly: less often while there is no answer. */
function useLoop(contact: () => Promise<Link>, report: (link: Link) => void, enabled: boolean): void {
  const running = useRef(false);
  useEffect(() => {
    if (!enabled) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    const stop = new AbortController();
    const { signal } = stop;
    const run = async () => {
      clearTimeout(timer);
      if (running.current) return;
      running.current = true;
      let link: Link = "offline";
      try {
        if (navigator.onLine) link = await contact();
      } catch (error) {
        // For example storage that another tab has cleared: this page must not stop contacting the server.
        console.error(error);
      } finally {
        running.current = false;
      }
      if (signal.aborted) return;
      report(link);
      failures = link === "offline" ? failures + 1 : 0;
      const pause = failures === 0 ? REFRESH_MS : Math.min(LONGEST_PAUSE_MS, 2_000 * 2 ** failures);
      timer = setTimeout(run, pause * (0.75 + Math.random() / 2));
    };
    const now = () => void run();
    const onVisible = () => document.visibilityState === "visible" && now();
    now();
    window.addEventListener("online", now, { signal });
    window.addEventListener("offline", () => report("offline"), { signal });
    document.addEventListener("visibilitychange", onVisible, { signal });
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [contact, report, enabled]);
}
