/** The status of a listing at a moment: time alone ends it, without any news. */
import type { Ticket, TicketStatus } from "./api/types";

/** `now` is the server's time, milliseconds since the epoch. A hold placed in time may still be paid, so it stays "held". */
export function statusAt(ticket: Pick<Ticket, "status" | "startsAt">, now: number): TicketStatus {
  return endsAt(ticket) <= now ? "ended" : ticket.status;
}

/** When (ms) this listing ends unless it changes before; infinite for what has no date or is not for sale. */
export function endsAt({ status, startsAt }: Pick<Ticket, "status" | "startsAt">): number {
  return status === "available" && startsAt ? Date.parse(startsAt) : Number.POSITIVE_INFINITY;
}
