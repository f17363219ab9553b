/** Short names for the HTTP contract's shapes; the shapes themselves are generated from the services' OpenAPI documents. */

export type {
  OrderReason as CancelReason,
  OrderResponse as Order,
  PaymentResponse as Payment,
  Problem,
  ShownStatus as TicketStatus,
  TicketRequest as TicketInput,
  TicketResponse as Ticket,
  TicketSort,
  UserResponse as User,
} from "./generated";
