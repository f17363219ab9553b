/** In place of lib/live/ticketFeed.ts: changes that the test publishes. */
import { act } from "@testing-library/react";
import type { Ticket } from "@/lib/api/types";
import type { TicketListener } from "@/lib/live/ticketFeed";

const listeners = new Set<TicketListener>();

export const latestChanges = () => [];

export function subscribeToTickets(listener: TicketListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function publish(ticket: Ticket): Promise<void> {
  return act(async () => {
    for (const { onChange } of listeners) onChange({ id: ticket.id, ticket });
  });
}
