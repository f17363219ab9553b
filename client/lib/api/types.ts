/** Short names for the types of the HTTP contract, which are generated from the services' OpenAPI documents. */
import type {
  Problem as AnyProblem,
  OrderRequest,
  OrderResponse,
  ShownStatus,
  TicketRequest,
  TicketResponse,
  UserResponse,
} from "./generated";

export type {
  CheckinCountsResponse as CheckinCounts,
  CheckinResponse as Checkin,
  OrderReason as CancelReason,
  PassResponse as Pass,
  PaymentResponse as Payment,
  PublicKey,
  TicketSort,
} from "./generated";

/** `emailVerified` is optional: during a roll-out, an auth of the previous version does not send it. */
export type User = Omit<UserResponse, "emailVerified"> & { emailVerified?: boolean };

/** A listing's status as shown: also `deleted`, which live events report. */
export type TicketStatus = ShownStatus | "deleted";

/*
 * Numbers of seats are optional in all types: during a roll-out, a service of the previous version neither sends nor
 * accepts them. lib/seats.ts reads such a listing or order as one seat.
 */
export type Ticket = Omit<TicketResponse, "status" | "quantity" | "available"> & {
  status: TicketStatus;
  quantity?: number;
  available?: number;
};

export type TicketInput = Omit<TicketRequest, "quantity"> & { quantity?: number };

/** `price` is the price of one seat; `total` is the price of all `seats`, which are numbered from 1. */
export type Order = Omit<OrderResponse, "quantity" | "seats" | "total" | "refundedAmount" | "disputed"> & {
  quantity?: number;
  seats?: number[];
  total?: number;
  /** Of the payment: what went back, and whether the buyer's bank disputes it. Unknown in live updates. */
  refundedAmount?: number | null;
  disputed?: boolean | null;
};

/** `price` is the price of one seat that the buyer saw; the service refuses the order (409) if it has changed. */
export type OrderInput = Pick<OrderRequest, "ticketId"> & { quantity?: number; price?: number };

/** Members of some 409 responses. */
interface ConflictMembers {
  /** POST /api/orders: the number of free seats, or the present price of one seat. */
  available?: number;
  price?: number;
  /** POST /api/orders/checkins: why the pass does not admit, and when it was used. */
  passStatus?: "used" | "void";
  firstAt?: string;
  /** DELETE /api/users/me: the numbers of unpaid orders, bought or sold, and of paid ones for the seller's events to come. */
  holds?: number;
  sales?: number;
}

export type Problem = AnyProblem & ConflictMembers;
