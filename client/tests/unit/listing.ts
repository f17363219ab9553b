/** A listing of one seat as GET /api/tickets returns it. */
import type { Ticket } from "@/lib/api/types";

export function listing(id: string, changes: Partial<Ticket> = {}): Ticket {
  const base: Ticket = {
    id,
    title: `Ticket ${id}`,
    description: null,
    venue: null,
    startsAt: null,
    price: 10,
    currency: "usd",
    quantity: 1,
    available: 1,
    status: "available",
    userId: "seller",
    version: 1,
    createdAt: "2026-05-01T12:00:00Z",
  };
  return { ...base, ...changes };
}
