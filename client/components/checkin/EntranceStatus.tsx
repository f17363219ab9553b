/** How many were admitted, and whether this device is in contact with the server. */
import { useRouter } from "next/router";
import type { Link } from "@/hooks/useCheckin";
import { conflictsOf, countAdmitted } from "@/lib/checkin/checkIn";
import type { KeptListing, Scan } from "@/lib/checkin/store";
import { signInPath } from "@/lib/returnTo";
import { countTickets } from "@/lib/seats";
import page from "@/styles/page.module.css";
import { LocalTime } from "../LocalTime";
import { Notice } from "../Notice";
import { PageLink } from "../PageLink";
import styles from "./EntranceStatus.module.css";
import { countConflicts } from "./ScanLists";

interface Props {
  listing: KeptListing;
  scans: Scan[];
  link: Link;
  /** Whether a reload opens this page without a network. */
  kept: boolean | null;
}

export function EntranceStatus({ listing, scans, link, kept }: Props) {
  const { asPath } = useRouter();
  const conflicts = conflictsOf(scans).length;
  const unsent = scans.filter(({ state, admittedAt }) => state === "waiting" && admittedAt !== null).length;
  return (
    <section className={page.card} aria-label="Admissions">
      <p className={styles.count}>
        <strong>{countAdmitted(listing, scans)}</strong> admitted, {countTickets(listing.sold)} sold
      </p>
      <div role="status" className={styles.link}>
        {link === "online" && "Connected to the server."}
        {link === "loading" && "Connecting to the server…"}
        {link === "offline" && (
          <p>
            <strong>Offline.</strong> This device decides with what it knew at{" "}
            <LocalTime iso={new Date(listing.updatedAt).toISOString()} />.
          </p>
        )}
        {link === "signedOut" && (
          <p>
            <strong>Your session has ended.</strong> This device goes on as if it were offline.{" "}
            <PageLink href={signInPath(asPath)}>Sign in</PageLink> to send its scans.
          </p>
        )}
        {conflicts > 0 && <p className="visuallyHidden">{countConflicts(conflicts)}.</p>}
        {unsent > 0 && (
          <p>{unsent === 1 ? "1 admission is not sent yet." : `${unsent} admissions are not sent yet.`}</p>
        )}
      </div>
      {listing.ticket.status === "cancelled" && (
        <Notice tone="bad" title="This event is called off.">
          All its passes are void.
        </Notice>
      )}
      {kept === false && (
        <Notice tone="warn">
          This browser cannot keep this page: without a network, do not reload or close it. Open it over HTTPS and not
          in a private window.
        </Notice>
      )}
      <details>
        <summary>What this device cannot know offline</summary>
        <ul className={page.points}>
          <li>Which passes another device has admitted: each pass may enter once at each device.</li>
          <li>Orders that were refunded since the time above: their passes still look valid here.</li>
          <li>As soon as the network is back, all scans are sent, and what was admitted twice is listed here.</li>
        </ul>
      </details>
    </section>
  );
}
