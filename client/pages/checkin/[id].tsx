/**
 * Checks passes at the entrance of an event; works without a network. The server renders it without any data, the same for
 * every listing and account, so that the browser may keep it (lib/checkin/shell.ts). It loads what it needs itself.
 */
import type { GetServerSideProps } from "next";
import { useEffect, useRef, useState } from "react";
import { BackLink } from "@/components/BackLink";
import { ButtonLink } from "@/components/Button";
import { EntranceStatus } from "@/components/checkin/EntranceStatus";
import { Conflicts, LatestScans } from "@/components/checkin/ScanLists";
import { Scanner } from "@/components/checkin/Scanner";
import { ScanResult, type Shown } from "@/components/checkin/ScanResult";
import { EmptyState } from "@/components/EmptyState";
import { LocalTime } from "@/components/LocalTime";
import { PageTitle } from "@/components/PageTitle";
import { loadReader } from "@/hooks/useCamera";
import { type Link, useCheckin } from "@/hooks/useCheckin";
import type { Verdict } from "@/lib/checkin/checkIn";
import { prepareVerification } from "@/lib/checkin/passCode";
import { keepShell } from "@/lib/checkin/shell";
import { signal } from "@/lib/checkin/signal";
import { signInPath } from "@/lib/returnTo";
import styles from "@/styles/page.module.css";

/** Rendered for each request and not at build time, because its scripts need a nonce. */
export const getServerSideProps: GetServerSideProps = async () => ({ props: {} });

export default function CheckinPage() {
  const ticketId = useTicketId();
  return (
    <div className={styles.stack}>
      <PageTitle>Check passes</PageTitle>
      {ticketId && <Entrance key={ticketId} ticketId={ticketId} />}
    </div>
  );
}

const PATH = /^\/checkin\/([^/]+)/;

/**
 * The listing of the address, which the browser knows: the kept page was rendered for another one. Undefined at first.
 *
 * A page that was opened by a link within the product is reloaded: its document has the Content-Security-Policy of the page
 * before, which allows no WebAssembly.
 */
function useTicketId(): string | undefined {
  const [ticketId, setTicketId] = useState<string>();
  useEffect(() => {
    const [navigation] = performance.getEntriesByType("navigation");
    const document = new URL(navigation?.name ?? location.href, location.href);
    if (PATH.test(document.pathname)) setTicketId(location.pathname.match(PATH)?.[1]);
    else location.reload();
  }, []);
  return ticketId;
}

function Entrance({ ticketId }: { ticketId: string }) {
  const { listing, scans, link, checkIn } = useCheckin(ticketId);
  const kept = useKept(listing !== null && link === "online");
  const [shown, setShown] = useState<Shown>(null);
  const [sound, setSound] = useState(true);
  const queue = useRef(Promise.resolve());
  const count = useRef(0);
  // What is kept of another account's listing is not for the one that is signed in now.
  const closed = link === "forbidden" || link === "missing";
  if (!listing || closed) return <NotReady link={link} ticketId={ticketId} />;

  async function check(code: string) {
    count.current += 1;
    setShown({ count: count.current, verdict: "checking" });
    const verdict = await checkIn(code).catch(failed);
    setShown({ count: count.current, verdict });
    signal(verdict.admits, sound);
  }

  /** One after the other: the result that is shown belongs to the person in front. */
  function onCode(code: string) {
    queue.current = queue.current.then(() => check(code));
  }

  const { title, venue, startsAt } = listing.ticket;
  return (
    <>
      <BackLink href={`/tickets/${ticketId}/sales`}>Sales</BackLink>
      <header className={styles.title}>
        <h1>Check passes: {title}</h1>
        <p className={styles.lead}>
          {venue ?? "Venue not specified"}
          {startsAt && (
            <>
              {" · "}
              <LocalTime iso={startsAt} withOffset />
            </>
          )}
        </p>
      </header>
      <div className={styles.columns}>
        <div className={styles.stack}>
          <ScanResult shown={shown} />
          <Scanner sound={sound} onSound={setSound} onCode={onCode} />
        </div>
        <div className={`${styles.stack} ${styles.side}`}>
          <Conflicts scans={scans} />
          <EntranceStatus listing={listing} scans={scans} link={link} kept={kept} />
          <LatestScans scans={scans} />
        </div>
      </div>
    </>
  );
}

/** Never admits by mistake: a scan that could not be stored is refused. */
function failed(error: unknown): Verdict {
  console.error(error);
  return { admits: false, seat: null, reason: "notStored", firstAt: null };
}

/** Keeps this page and what it loads on demand; null until that is known. */
function useKept(online: boolean): boolean | null {
  const [kept, setKept] = useState<boolean | null>(null);
  useEffect(() => {
    if (!online || process.env.NODE_ENV !== "production") return;
    let current = true;
    void Promise.allSettled([loadReader(), prepareVerification()])
      .then(keepShell)
      .then((done) => current && setKept(done));
    return () => {
      current = false;
    };
  }, [online]);
  return kept;
}

const NOT_READY: Record<Exclude<Link, "online">, { title: string; text: string }> = {
  loading: { title: "Check passes", text: "Loading the passes of this event…" },
  offline: {
    title: "This device is not ready yet",
    text: "Open this page once with a network. After that it works without one.",
  },
  signedOut: { title: "Sign in to check passes", text: "Only the seller of an event checks its passes." },
  forbidden: {
    title: "You do not have access to this page",
    text: "Only the seller of an event checks its passes. Scans of this device are kept until the seller signs in again.",
  },
  missing: { title: "There is no such event", text: "The address may be wrong, or the listing was deleted." },
};

function NotReady({ link, ticketId }: { link: Link; ticketId: string }) {
  const { title, text } = NOT_READY[link === "online" ? "loading" : link];
  return (
    <EmptyState heading="h1" title={title} text={text}>
      {link === "signedOut" && <ButtonLink href={signInPath(`/checkin/${ticketId}`)}>Sign in</ButtonLink>}
      {link === "missing" && <ButtonLink href="/listings">My listings</ButtonLink>}
    </EmptyState>
  );
}
