/** The present status of a listing, by the server's clock. */
import { useEffect, useState } from "react";
import type { Ticket, TicketStatus } from "@/lib/api/types";
import { whenServerTimeIs } from "@/lib/clock";
import { endsAt } from "@/lib/ticketStatus";

export function useTicketStatus(ticket: Pick<Ticket, "status" | "startsAt">): TicketStatus {
  const end = endsAt(ticket);
  /** The end time that has passed; a changed date is another end time. */
  const [passed, setPassed] = useState<number | null>(null);
  useEffect(() => {
    if (end === Number.POSITIVE_INFINITY) return;
    return whenServerTimeIs(end, () => setPassed(end));
  }, [end]);
  return passed === end ? "ended" : ticket.status;
}
