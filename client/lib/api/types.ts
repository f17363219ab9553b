/** Short names for the HTTP contract's shapes; the shapes themselves are generated from the services' OpenAPI documents. */
import type { TicketStatus as StoredStatus, TicketResponse } from "./generated";

export type {
  OrderReason as CancelReason,
  OrderResponse as Order,
  PaymentResponse as Payment,
  Problem,
  ShownStatus as TicketStatus,
  TicketRequest as TicketInput,
  TicketSort,
  UserResponse as User,
} from "./generated";

/** What a reader sees of a listing: `ended` once its event has begun, `cancelled` once its seller has called it off. */
export type TicketStatus = StoredStatus | "ended" | "cancelled";
export type Ticket = Omit<TicketResponse, "status"> & { status: TicketStatus };
