/** Short names for the HTTP contract's shapes; the shapes themselves are generated from the services' OpenAPI documents. */
import type { ShownStatus, TicketResponse } from "./generated";

export type {
  OrderReason as CancelReason,
  OrderResponse as Order,
  PaymentResponse as Payment,
  Problem,
  TicketRequest as TicketInput,
  TicketSort,
  UserResponse as User,
} from "./generated";

/** What a reader sees of a listing: also `deleted`, which live events report, and `cancelled`, once its seller calls it off. */
export type TicketStatus = ShownStatus | "deleted" | "cancelled";
export type Ticket = Omit<TicketResponse, "status"> & { status: TicketStatus };
