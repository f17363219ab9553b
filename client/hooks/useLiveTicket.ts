/** One ticket, kept current; null once its seller has withdrawn it. */
import { useEffect, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { Ticket } from "@/lib/api/types";
import { latestChanges, subscribeToTickets, type TicketChange } from "@/lib/live/ticketFeed";

export function useLiveTicket(initial: Ticket): Ticket | null {
  const [ticket, setTicket] = useState<Ticket | null>(initial);

  useEffect(() => {
    const request = new AbortController();
    const apply = (change: TicketChange) => {
      if (change.id === initial.id) setTicket((known) => change.ticket && newer(known, change.ticket));
    };
    for (const change of latestChanges()) apply(change);
    const leave = subscribeToTickets({
      onChange: apply,
      onReload: () => {
        api.getTicket(initial.id, request.signal).then(
          (fresh) => setTicket((known) => newer(known, fresh)),
          (failure) => {
            if (request.signal.aborted) return;
            if (!(failure instanceof ApiError)) throw failure;
            if (failure.status === 404) setTicket(null);
          },
        );
      },
    });
    return () => {
      request.abort();
      leave();
    };
  }, [initial.id]);

  // The server may have rendered the page again since: the newer one counts.
  return newer(ticket, initial);
}

function newer(known: Ticket | null, other: Ticket): Ticket | null {
  // A withdrawn ticket stays withdrawn, except for a sale that was decided first: its version is higher.
  if (known === null) return other.status === "sold" ? other : null;
  // The same version is the same ticket: no new render.
  return other.version > known.version ? other : known;
}
