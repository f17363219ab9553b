/** The status of a listing at a given time: it ends when the event starts, and no event announces that. */
import type { Ticket, TicketStatus } from "./api/types";

/** `now` is the server's time (ms). A hold placed before the start may still be paid, so that listing stays "held". */
export function statusAt(ticket: Pick<Ticket, "status" | "startsAt">, now: number): TicketStatus {
  return endsAt(ticket) <= now ? "ended" : ticket.status;
}

/** The time (ms) at which this listing ends; infinite if it has no date or is not for sale. */
export function endsAt({ status, startsAt }: Pick<Ticket, "status" | "startsAt">): number {
  return status === "available" && startsAt ? Date.parse(startsAt) : Number.POSITIVE_INFINITY;
}
