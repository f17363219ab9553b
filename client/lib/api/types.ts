/** Short names for the types of the HTTP contract, which are generated from the services' OpenAPI documents. */
import type { Problem as AnyProblem, ShownStatus, TicketResponse, UserResponse } from "./generated";

export type {
  CheckinCountsResponse as CheckinCounts,
  CheckinResponse as Checkin,
  OrderReason as CancelReason,
  OrderRequest as OrderInput,
  OrderResponse as Order,
  PassResponse as Pass,
  PaymentResponse as Payment,
  PublicKey,
  TicketRequest as TicketInput,
  TicketSort,
} from "./generated";

/** `emailVerified` is optional: during a roll-out, an auth of the previous version does not send it. */
export type User = Omit<UserResponse, "emailVerified"> & { emailVerified?: boolean };

/** A listing's status as shown: also `deleted`, which live events report. */
export type TicketStatus = ShownStatus | "deleted";

export type Ticket = Omit<TicketResponse, "status"> & { status: TicketStatus };

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
