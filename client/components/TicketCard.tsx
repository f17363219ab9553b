/** Ticket cards in a grid, and placeholders while they load. */

import { memo } from "react";
import { useHydrated } from "@/hooks/useHydrated";
import { useTicketStatus } from "@/hooks/useTicketStatus";
import type { Ticket } from "@/lib/api/types";
import { formatPrice, stubDate } from "@/lib/format";
import { seatsLeft } from "@/lib/seats";
import page from "@/styles/page.module.css";
import { PageLink } from "./PageLink";
import { TicketBadge } from "./StatusBadge";
import styles from "./TicketCard.module.css";

/** Rendered again only for another version: lists reload more often than their tickets change. */
export const TicketCard = memo(Card, (one, other) => {
  return one.ticket.id === other.ticket.id && one.ticket.version === other.ticket.version;
});

function Card({ ticket }: { ticket: Ticket }) {
  const status = useTicketStatus(ticket);
  return (
    <li className={styles.card}>
      <StubDate startsAt={ticket.startsAt} />
      <div className={styles.body}>
        <h2 className={`${styles.title} ${page.wholeCard}`}>
          <PageLink href={`/tickets/${ticket.id}`}>{ticket.title}</PageLink>
        </h2>
        <p className={styles.venue}>{ticket.venue ?? "Venue not specified"}</p>
        <div className={styles.foot}>
          <span className={styles.price}>{formatPrice(ticket.price, ticket.currency)}</span>
          <TicketBadge status={status} left={seatsLeft(ticket)} />
        </div>
      </div>
    </li>
  );
}

function StubDate({ startsAt }: { startsAt: string | null }) {
  const hydrated = useHydrated();
  if (!startsAt) {
    return (
      <div className={styles.stub}>
        <span className={styles.weekday}>No date</span>
      </div>
    );
  }
  const { month, day, weekday } = stubDate(startsAt, hydrated ? "local" : "UTC");
  return (
    <time className={styles.stub} dateTime={startsAt}>
      <span className={styles.month}>{month}</span>
      <span className={styles.day}>{day}</span>
      <span className={styles.weekday}>{weekday}</span>
    </time>
  );
}

export function TicketGrid({ tickets, busy = false }: { tickets: Ticket[]; busy?: boolean }) {
  return (
    <ul className={styles.grid} aria-busy={busy}>
      {tickets.map((ticket) => (
        <TicketCard key={ticket.id} ticket={ticket} />
      ))}
    </ul>
  );
}

const OUTLINES = ["a", "b", "c", "d", "e", "f"];

export function TicketGridSkeleton() {
  return (
    <div>
      <p className="visuallyHidden" role="status">
        Loading tickets
      </p>
      <ul className={styles.grid} aria-hidden="true">
        {OUTLINES.map((key) => (
          <li key={key} className={`${styles.card} ${styles.skeleton}`}>
            <div className={styles.stub} />
            <div className={styles.body}>
              <div className={styles.boneTitle} />
              <div className={styles.boneText} />
              <div className={styles.foot}>
                <div className={styles.bonePrice} />
              </div>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}
