/** The HTTP contract's shapes as the browser sees them: camelCase, absent values `null`, times RFC 3339 UTC, prices decimal. */

export interface User {
  id: string;
  email: string;
}

export type TicketStatus = "available" | "held" | "sold";

export interface Ticket {
  id: string;
  title: string;
  description: string | null;
  venue: string | null;
  startsAt: string | null;
  /** In units of `currency` with at most two places (25.5 is 25 dollars and 50 cents). */
  price: number;
  currency: string;
  status: TicketStatus;
  userId: string;
  version: number;
  createdAt: string;
}

export interface TicketInput {
  title: string;
  price: number;
  description: string | null;
  venue: string | null;
  startsAt: string | null;
}

export type OrderStatus = "created" | "complete" | "cancelled";
export type CancelReason = "buyer" | "expired" | "ticket_gone" | "payment_failed";

export interface Order {
  id: string;
  userId: string;
  status: OrderStatus;
  reason: CancelReason | null;
  version: number;
  expiresAt: string;
  createdAt: string;
  /** The ticket as it was when it was held; a later price change does not touch it. */
  ticket: { id: string; title: string; price: number; currency: string };
}

export type PaymentStatus = "initiated" | "requires_action" | "authorized" | "captured" | "voided" | "failed";

export interface Payment {
  id: string;
  orderId: string;
  status: PaymentStatus;
  amount: number;
  currency: string;
  /** Present when the browser must finish the payment (3-D Secure). */
  clientSecret?: string | null;
}

export type TicketSort = "newest" | "oldest" | "price" | "-price" | "startsAt" | "-startsAt";

/** RFC 9457 problem details with this product's `errors` extension. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string | null;
  errors?: { message: string; field?: string | null }[];
}
