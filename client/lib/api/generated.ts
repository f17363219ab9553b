/** Made by `npm run api-types` from docs/openapi: do not edit. */

/** The account as the pages of its owner show it. */
export type AccountResponse = {
  id: string;
  email: string;
  emailVerified: boolean;
};

/** The present and the new password. Spaces around a password are part of it. */
export type ChangePasswordRequest = {
  currentPassword: string;
  password: string;
};

/** A listing as its entrance needs it. Passes that were checked in count further when their order ends. */
export type CheckinCountsResponse = {
  /** seats of complete orders */
  sold: number;
  /** check-ins */
  checkedIn: number;
  /** ids of the passes whose orders were complete and have ended */
  void: Array<string>;
};

/** The code that was scanned or typed. */
export type CheckinRequest = {
  /** of a pass */
  code: string;
};

/** The one admission with a pass; `checked_in_at` is UTC, by the clock of the server. */
export type CheckinResponse = {
  id: string;
  passId: string;
  ticketId: string;
  seat: number;
  checkedInAt: string;
};

/** The token from the link of a mail. */
export type ConfirmRequest = {
  token: string;
};

/** A code that the authenticator app shows for the new secret. */
export type ConfirmSecondFactorRequest = {
  code: string;
};

/** The signed-in user, or null. */
export type CurrentUserResponse = {
  currentUser: AccountResponse | null;
};

/** Data of the person at another service, and the call that returns it. */
export type ElsewhereResponse = {
  data: string;
  call: string;
};

/** A request without fields. */
export type EmptyRequest = Record<string, never>;

/** An empty object. */
export type EmptyResponse = Record<string, never>;

/** A new secret, in base32, as the address that authenticator apps read, and as a QR code of it (a `data:` URI). */
export type EnrolmentResponse = {
  secret: string;
  uri: string;
  qrCode: string;
  expiresAt: string;
};

/** Everything that the auth service holds about the caller, without secrets, and where to get the rest. */
export type ExportResponse = {
  exportedAt: string;
  account: ExportedAccount;
  secondFactor: SecondFactorResponse;
  wrongPasswords: Array<string>;
  wrongCodes: Array<string>;
  openLinks: Array<ExportedLink>;
  mails: Array<ExportedMail>;
  openSessions: Array<ExportedSession>;
  elsewhere: Array<ElsewhereResponse>;
};

/** The account's own record. */
export type ExportedAccount = {
  id: string;
  email: string;
  emailVerified: boolean;
  createdAt: string;
  updatedAt: string;
  sessionsEndedAt: string | null;
};

/** A link that was sent by mail and is still valid; the link itself is not stored. */
export type ExportedLink = {
  purpose: TokenPurpose;
  expiresAt: string;
};

/** A mail to the person; its text is not stored. */
export type ExportedMail = {
  kind: MailKind;
  requestedAt: string;
};

/** An open session in a browser. */
export type ExportedSession = {
  device: string | null;
  createdAt: string;
  renewedAt: string;
  expiresAt: string;
};

/** What a mail is about. */
export type MailKind = "verify" | "reset" | "password_changed" | "second_factor" | "order_complete" | "hold_expired" | "hold_ended" | "payment_failed" | "event_cancelled" | "refunded" | "sold" | "sale_cancelled";

/**
 * Why an order was cancelled.
 *
 * `event_cancelled`: the seller called the event off. `refunded`: the seller returned the money of a paid order, or it
 * went back at Stripe: refunded there, or lost in a dispute.
 */
export type OrderReason = "buyer" | "expired" | "ticket_gone" | "payment_failed" | "event_cancelled" | "refunded";

/**
 * Which ticket to hold, and how many seats of it. A malformed id is a 404 like an unknown one: any string passes.
 *
 * `price` is the price of one seat that the buyer saw: when the current price differs, nothing is held.
 */
export type OrderRequest = {
  ticketId: string;
  /** seats, all of them or none */
  quantity?: number;
  /** of one seat, as the buyer saw it */
  price?: number | null;
};

/** An order; its seats are held until `expires_at`, in UTC. */
export type OrderResponse = {
  id: string;
  userId: string;
  status: OrderStatus;
  reason: OrderReason | null;
  version: number;
  expiresAt: string;
  createdAt: string;
  quantity: number;
  /** their numbers, from 1 */
  seats: Array<number>;
  /** of all seats, decimal, at most two places */
  total: number;
  /** what of the payment went back; null for an unpaid order, and in live updates of a cancelled one */
  refundedAmount?: number | null;
  /** whether the buyer's bank disputes the payment; null as `refundedAmount` */
  disputed?: boolean | null;
  ticket: OrderTicketResponse;
};

/** The status of an order; `created` and `complete` hold the ticket. */
export type OrderStatus = "created" | "complete" | "cancelled";

/** The ticket as it was when the order was placed; `price` is for one seat. */
export type OrderTicketResponse = {
  id: string;
  title: string;
  venue: string | null;
  startsAt: string | null;
  price: number;
  currency: string;
};

/** A JWK set (RFC 7517): the public keys that verify the codes of passes, that of new codes first. */
export type PassKeysResponse = {
  keys: Array<PublicKey>;
};

/** One seat of a sold order. `code` is a compact JWS, the content of the QR code (docs/passes.md). */
export type PassResponse = {
  id: string;
  seat: number;
  /** `void` once the order has ended, else `used` once it was checked in */
  status: PassStatus;
  code: string;
};

/** Whether a pass admits. */
export type PassStatus = "valid" | "used" | "void";

/** The present password. Spaces around a password are part of it. */
export type PasswordRequest = {
  password: string;
};

/**
 * The order to pay and the payment method. The order determines the price.
 *
 * Any string is accepted as an order id: a malformed id is a 404, like an unknown one. Without a payment method, the
 * browser enters the card with the response's `clientSecret`.
 */
export type PaymentRequest = {
  orderId: string;
  paymentMethodId?: string | null;
};

/**
 * A payment. `client_secret` is set only while the payment waits for the buyer's browser.
 *
 * `refunded_amount` is the part of `amount` that was refunded or lost in a dispute. `disputed`: a dispute is open.
 */
export type PaymentResponse = {
  id: string;
  orderId: string;
  status: PaymentStatus;
  amount: number;
  currency: string;
  refundedAmount: number;
  disputed: boolean;
  clientSecret: string | null;
};

/** Where a payment stands. */
export type PaymentStatus = "initiated" | "requires_action" | "authorized" | "captured" | "voided" | "failed" | "refunded";

/** RFC 9457 problem details, with `errors` as an extension member. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  detail?: string | null;
  errors: Array<ProblemError>;
};

/** One problem, and the field of the request that has it. */
export type ProblemError = {
  message: string;
  field?: string | null;
};

/** A public key as JWK (RFC 7517; RFC 8037, section 2). `kid` is its thumbprint (RFC 7638). */
export type PublicKey = {
  kty: "OKP";
  crv: "Ed25519";
  x: string;
  kid: string;
  use: "sig";
  alg: "EdDSA";
};

/** Recovery codes, each for one use. No other response shows them. */
export type RecoveryCodesResponse = {
  recoveryCodes: Array<string>;
};

/** The token from the link of a mail, and the new password. Spaces around a password are part of it. */
export type ResetPasswordRequest = {
  token: string;
  password: string;
};

/** The e-mail of an account, which need not exist. */
export type ResetRequest = {
  email: string;
};

/** The present password, and a code of the second factor or a recovery code. */
export type SecondFactorRequest = {
  password: string;
  code: string;
};

/** Whether a sign-in asks for a code, since when, and how many recovery codes are left. */
export type SecondFactorResponse = {
  state: "on" | "off";
  enabledAt: string | null;
  recoveryCodesLeft: number;
};

/**
 * An open session in a browser; `current` for the one that asks. `device` is null if its browser is not known.
 *
 * `renewed_at` is the time of the last renewal, which an active browser does every ten minutes.
 */
export type SessionResponse = {
  device: string | null;
  createdAt: string;
  renewedAt: string;
  expiresAt: string;
  id: string;
  current: boolean;
};

/** The status in responses: the stored one, or `ended`, which is computed from the time and never stored. */
export type ShownStatus = "available" | "held" | "sold" | "cancelled" | "ended";

/** The credentials of an account. `code` is needed only if the account has a second factor. */
export type SignInRequest = {
  email: string;
  password: string;
  code?: string | null;
};

/** A new account. Spaces around a password are part of it. */
export type SignUpRequest = {
  email: string;
  password: string;
};

/**
 * The seller's details of a listing. They replace the stored ones, so a field that is left out becomes null.
 *
 * Texts are trimmed, and an empty description or venue is null. Whether `startsAt` may be in the past depends on the
 * stored ticket. Without `quantity` the number of seats stays as it is.
 */
export type TicketChangeRequest = {
  title: string;
  price: number;
  description?: string | null;
  venue?: string | null;
  startsAt?: string | null;
  quantity?: number | null;
};

/** A new listing. Like a change, but `startsAt` must be in the future, and `quantity` defaults to one seat. */
export type TicketRequest = {
  title: string;
  price: number;
  description?: string | null;
  venue?: string | null;
  startsAt?: string | null;
  quantity?: number;
};

/** The public view of a ticket. */
export type TicketResponse = {
  id: string;
  title: string;
  description: string | null;
  venue: string | null;
  startsAt: string | null;
  /** of one seat, decimal, at most two places */
  price: number;
  currency: string;
  /** seats on sale, taken ones included */
  quantity: number;
  /** free seats */
  available: number;
  status: ShownStatus;
  /** the seller */
  userId: string;
  version: number;
  createdAt: string;
};

/** How a list is ordered; a minus means descending. Tickets without a date come last in both orders by date. */
export type TicketSort = "newest" | "oldest" | "price" | "-price" | "startsAt" | "-startsAt";

/**
 * The resource owner password credentials of OAuth 2.0 (RFC 6749 §4.3.2); `username` is the e-mail.
 *
 * `code` is ours, for an account with a second factor. Unknown parameters are ignored, as §3.2 requires.
 */
export type TokenForm = {
  grant_type?: "password";
  username: string;
  password: string;
  code?: string | null;
};

/** What a one-time token permits. A token of one purpose is unknown to the other. */
export type TokenPurpose = "verify_email" | "reset_password";

/** The names are those of RFC 6749 §5.1; `expires_in` is in seconds. */
export type TokenResponse = {
  access_token: string;
  token_type?: "bearer";
  expires_in: number;
};

/** The representation of an account for its owner. */
export type UserResponse = {
  id: string;
  email: string;
};

/** The event is stored; Stripe need not send it again. */
export type WebhookResponse = {
  received: boolean;
};

/** Every call of the HTTP contract. */
export interface Operations {
  /** Create Order */
  "POST /api/orders": {
    query: never;
    body: OrderRequest;
    answer: OrderResponse;
  };
  /** List Orders */
  "GET /api/orders": {
    query: "limit" | "cursor";
    body: undefined;
    answer: Array<OrderResponse>;
  };
  /** Show Pass Keys */
  "GET /api/orders/pass-keys": {
    query: never;
    body: undefined;
    answer: PassKeysResponse;
  };
  /** Create Checkin */
  "POST /api/orders/checkins": {
    query: never;
    body: CheckinRequest;
    answer: CheckinResponse;
  };
  /** Count Checkins */
  "GET /api/orders/checkins": {
    query: "ticketId";
    body: undefined;
    answer: CheckinCountsResponse;
  };
  /** List Sales */
  "GET /api/orders/sales": {
    query: "ticketId" | "limit" | "cursor";
    body: undefined;
    answer: Array<OrderResponse>;
  };
  /** Show Order */
  "GET /api/orders/{id}": {
    query: never;
    body: undefined;
    answer: OrderResponse;
  };
  /** Cancel Order */
  "DELETE /api/orders/{id}": {
    query: never;
    body: undefined;
    answer: undefined;
  };
  /** Stream Order */
  "GET /api/orders/{id}/stream": {
    query: never;
    body: undefined;
    answer: undefined;
  };
  /** List Passes */
  "GET /api/orders/{id}/passes": {
    query: never;
    body: undefined;
    answer: Array<PassResponse>;
  };
  /** Show Pass Code */
  "GET /api/orders/{id}/passes/{passId}.svg": {
    query: never;
    body: undefined;
    answer: undefined;
  };
  /** Show Calendar File */
  "GET /api/orders/{id}/event.ics": {
    query: never;
    body: undefined;
    answer: undefined;
  };
  /** Refund Order */
  "POST /api/orders/{id}/refund": {
    query: never;
    body: EmptyRequest | null;
    answer: OrderResponse;
  };
  /** Create Payment */
  "POST /api/payments": {
    query: never;
    body: PaymentRequest;
    answer: PaymentResponse;
  };
  /** Show Payment */
  "GET /api/payments/{id}": {
    query: never;
    body: undefined;
    answer: PaymentResponse;
  };
  /** Refresh Payment */
  "POST /api/payments/{id}/refresh": {
    query: never;
    body: undefined;
    answer: PaymentResponse;
  };
  /** Receive Webhook */
  "POST /api/payments/webhook": {
    query: never;
    body: undefined;
    answer: WebhookResponse;
  };
  /** Create Ticket */
  "POST /api/tickets": {
    query: never;
    body: TicketRequest;
    answer: TicketResponse;
  };
  /** List Tickets */
  "GET /api/tickets": {
    query: "q" | "minPrice" | "maxPrice" | "from" | "to" | "sort" | "status" | "limit" | "cursor";
    body: undefined;
    answer: Array<TicketResponse>;
  };
  /** List My Tickets */
  "GET /api/tickets/mine": {
    query: "limit" | "cursor";
    body: undefined;
    answer: Array<TicketResponse>;
  };
  /** Stream Tickets */
  "GET /api/tickets/stream": {
    query: never;
    body: undefined;
    answer: undefined;
  };
  /** Get Ticket */
  "GET /api/tickets/{id}": {
    query: never;
    body: undefined;
    answer: TicketResponse;
  };
  /** Update Ticket */
  "PUT /api/tickets/{id}": {
    query: never;
    body: TicketChangeRequest;
    answer: TicketResponse;
  };
  /** Delete Ticket */
  "DELETE /api/tickets/{id}": {
    query: never;
    body: undefined;
    answer: undefined;
  };
  /** Cancel Ticket */
  "POST /api/tickets/{id}/cancel": {
    query: never;
    body: EmptyRequest | null;
    answer: TicketResponse;
  };
  /** Sign Up */
  "POST /api/users/signup": {
    query: never;
    body: SignUpRequest;
    answer: UserResponse;
  };
  /** Sign In */
  "POST /api/users/signin": {
    query: never;
    body: SignInRequest;
    answer: UserResponse;
  };
  /** Issue Token */
  "POST /api/users/token": {
    query: never;
    body: undefined;
    answer: TokenResponse;
  };
  /** Sign Out */
  "POST /api/users/signout": {
    query: never;
    body: undefined;
    answer: EmptyResponse;
  };
  /** Current User */
  "GET /api/users/currentuser": {
    query: never;
    body: undefined;
    answer: CurrentUserResponse;
  };
  /** Request Verification */
  "POST /api/users/verification": {
    query: never;
    body: undefined;
    answer: EmptyResponse;
  };
  /** Confirm Verification */
  "POST /api/users/verification/confirm": {
    query: never;
    body: ConfirmRequest;
    answer: EmptyResponse;
  };
  /** Request Password Reset */
  "POST /api/users/password-reset": {
    query: never;
    body: ResetRequest;
    answer: EmptyResponse;
  };
  /** Confirm Password Reset */
  "POST /api/users/password-reset/confirm": {
    query: never;
    body: ResetPasswordRequest;
    answer: EmptyResponse;
  };
  /** Change Password */
  "PUT /api/users/password": {
    query: never;
    body: ChangePasswordRequest;
    answer: AccountResponse;
  };
  /** Sign Out Everywhere */
  "POST /api/users/signout-everywhere": {
    query: never;
    body: undefined;
    answer: EmptyResponse;
  };
  /** Export Account */
  "GET /api/users/me/export": {
    query: never;
    body: undefined;
    answer: ExportResponse;
  };
  /** Delete Account */
  "DELETE /api/users/me": {
    query: never;
    body: PasswordRequest;
    answer: undefined;
  };
  /** List Sessions */
  "GET /api/users/sessions": {
    query: never;
    body: undefined;
    answer: Array<SessionResponse>;
  };
  /** End Session */
  "DELETE /api/users/sessions/{id}": {
    query: never;
    body: PasswordRequest;
    answer: undefined;
  };
  /** Show Second Factor */
  "GET /api/users/second-factor": {
    query: never;
    body: undefined;
    answer: SecondFactorResponse;
  };
  /** Enrol Second Factor */
  "POST /api/users/second-factor": {
    query: never;
    body: PasswordRequest;
    answer: EnrolmentResponse;
  };
  /** Turn Off Second Factor */
  "DELETE /api/users/second-factor": {
    query: never;
    body: SecondFactorRequest;
    answer: undefined;
  };
  /** Confirm Second Factor */
  "POST /api/users/second-factor/confirm": {
    query: never;
    body: ConfirmSecondFactorRequest;
    answer: RecoveryCodesResponse;
  };
  /** Replace Recovery Codes */
  "POST /api/users/second-factor/recovery-codes": {
    query: never;
    body: SecondFactorRequest;
    answer: RecoveryCodesResponse;
  };
}
