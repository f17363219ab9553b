/** Short names for the types of the HTTP contract, which are generated from the services' OpenAPI documents. */
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

/** A listing's status as shown: also `deleted`, which live events report, and `cancelled`, by its seller. */
export type TicketStatus = ShownStatus | "deleted" | "cancelled";
export type Ticket = Omit<TicketResponse, "status"> & { status: TicketStatus };
