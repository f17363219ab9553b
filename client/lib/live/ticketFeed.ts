/** The live feed of all ticket changes, over one connection that navigation between pages does not close. */
import type { Ticket } from "../api/types";
import { serverClock } from "../clock";
import { openEventStream } from "./eventStream";
import type { StreamEvent } from "./eventStreamParser";

export interface TicketChange {
  id: string;
  /** Null once it is deleted. */
  ticket: Ticket | null;
}

export interface TicketListener {
  onChange: (change: TicketChange) => void;
  /** Events may be missing: reload what is shown. */
  onReload: () => void;
}

/** The connection closes after this time without a listener, so that the next page can still use it. */
const IDLE_CLOSE_MS = 5_000;
/** The latest changes are kept, because a response that arrives later may be older than they are. */
const MAX_REMEMBERED = 500;
const POLL_MS = 15_000;

const listeners = new Set<TicketListener>();
const latest = new Map<string, TicketChange>();
let close: (() => void) | undefined;
let closing: ReturnType<typeof setTimeout> | undefined;

/** Subscribes until the returned function is called. A new connection starts with `onReload`. */
export function subscribeToTickets(listener: TicketListener): () => void {
  listeners.add(listener);
  clearTimeout(closing);
  close ??= open();
  return () => {
    listeners.delete(listener);
    clearTimeout(closing);
    if (listeners.size > 0) return;
    closing = setTimeout(() => {
      close?.();
      close = undefined;
      latest.clear();
    }, IDLE_CLOSE_MS);
  };
}

/** The changes of the open connection, oldest first; apply them to every response requested since it was opened. */
export function latestChanges(): TicketChange[] {
  return [...latest.values()];
}

function open(): () => void {
  const reload = () => {
    for (const listener of [...listeners]) listener.onReload();
  };
  return openEventStream("/api/tickets/stream", {
    onEvent: (event) => {
      if (event.type === "ready" || event.type === "reset") return reload();
      const change = readChange(event);
      if (!change) return;
      remember(change);
      for (const listener of [...listeners]) listener.onChange(change);
    },
    onPoll: reload,
    pollMs: POLL_MS,
    onResponse: (response, startedAt) => serverClock.observe(response.headers.get("date"), startedAt, Date.now()),
  });
}

function readChange({ type, data }: StreamEvent): TicketChange | null {
  if (!["ticket.created", "ticket.updated", "ticket.deleted"].includes(type)) return null;
  const ticket = JSON.parse(data) as Ticket;
  return { id: ticket.id, ticket: type === "ticket.deleted" ? null : ticket };
}

function remember(change: TicketChange): void {
  latest.delete(change.id);
  latest.set(change.id, change);
  for (const oldest of latest.keys()) {
    if (latest.size <= MAX_REMEMBERED) break;
    latest.delete(oldest);
  }
}
