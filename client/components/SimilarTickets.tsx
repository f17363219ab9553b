/** Other tickets, if this one is not available: for the same event if there are any, else the newest. */
import { useEffect, useState } from "react";
import { api } from "@/lib/api/browser";
import type { Ticket } from "@/lib/api/types";
import { serverClock } from "@/lib/clock";
import { statusAt } from "@/lib/ticketStatus";
import styles from "@/styles/page.module.css";
import { TicketCard } from "./TicketCard";

const SHOWN = 3;

export function SimilarTickets({ ticket }: { ticket: Ticket }) {
  const [others, setOthers] = useState<Ticket[]>([]);

  useEffect(() => {
    const request = new AbortController();
    const find = async (q: string) => {
      const { items } = await api.listTickets({ q, limit: String(SHOWN + 1) }, request.signal);
      const now = serverClock.now();
      return items.filter((item) => item.id !== ticket.id && statusAt(item, now) === "available").slice(0, SHOWN);
    };
    (async () => {
      const sameEvent = await find(ticket.title);
      setOthers(sameEvent.length > 0 ? sameEvent : await find(""));
    })().catch(() => {
      // Optional content: the page is complete without it.
    });
    return () => request.abort();
  }, [ticket.id, ticket.title]);

  if (others.length === 0) return null;
  return (
    <section className={styles.stack} aria-label="Similar tickets">
      <h2>Other tickets</h2>
      <ul className={styles.stack}>
        {others.map((other) => (
          <TicketCard key={other.id} ticket={other} />
        ))}
      </ul>
    </section>
  );
}
