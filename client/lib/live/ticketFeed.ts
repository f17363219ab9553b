/** Every change of every ticket, over one connection for the whole page; it outlives the change from one page to the next. */
import type { Ticket } from "../api/types";
import { serverClock } from "../clock";
import { openEventStream } from "./eventStream";
import type { StreamEvent } from "./eventStreamParser";

export type TicketChange = { kind: "changed"; ticket: Ticket } | { kind: "deleted"; id: string; version: number };

export interface TicketListener {
  onChange: (change: TicketChange) => void;
  /** There may be a gap: ask for what is shown again. */
  onReload: () => void;
}

/** The next page subscribes within this time after the last one left. */
const LINGER_MS = 5_000;
/** What was told last is kept, because an answer that was on its way meanwhile may be older than it. */
const REMEMBERED = 500;
const POLL_MS = 15_000;

const listeners = new Set<TicketListener>();
const latest = new Map<string, TicketChange>();
let close: (() => void) | undefined;
let closing: ReturnType<typeof setTimeout> | undefined;

/** Listens until the returned function is called. A new connection begins with `onReload`. */
export function followTickets(listener: TicketListener): () => void {
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
    }, LINGER_MS);
  };
}

/** What the open connection told, oldest first; to be put over any answer that was asked for after it was opened. */
export function latestChanges(): Iterable<TicketChange> {
  return latest.values();
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
    onAnswer: (response, startedAt) => serverClock.observe(response.headers.get("date"), startedAt, Date.now()),
  });
}

function readChange({ type, data }: StreamEvent): TicketChange | null {
  switch (type) {
    case "ticket.created":
    case "ticket.updated":
      return { kind: "changed", ticket: JSON.parse(data) as Ticket };
    case "ticket.deleted":
      return { kind: "deleted", ...(JSON.parse(data) as { id: string; version: number }) };
    default:
      return null;
  }
}

function remember(change: TicketChange): void {
  const id = change.kind === "changed" ? change.ticket.id : change.id;
  latest.delete(id);
  latest.set(id, change);
  for (const oldest of latest.keys()) {
    if (latest.size <= REMEMBERED) break;
    latest.delete(oldest);
  }
}
