/** The HTTP client for the services, used in the browser and in getServerSideProps. */
import { ApiError, errorFrom, unreachable } from "./errors";
import type {
  CheckinRequest,
  EnrolmentResponse,
  ExportResponse,
  Operations,
  PaymentRequest,
  SecondFactorResponse,
  SessionResponse,
  SignInRequest,
} from "./generated";
import { nextCursor } from "./link";
import { isRepeatable, RetryBudget, type RetryPolicy, withRetries } from "./retry";
import type {
  Checkin,
  CheckinCounts,
  Order,
  OrderInput,
  Pass,
  Payment,
  PublicKey,
  Ticket,
  TicketInput,
  User,
} from "./types";

export interface Page<Item> {
  items: Item[];
  /** Opaque cursor of the next page, from the Link header; null on the last one. */
  next: string | null;
}

export interface Answer<Body> {
  body: Body;
  headers: Headers;
}

/** An operation of the HTTP contract, for example `GET /api/tickets/{id}`. */
type Operation = keyof Operations;

interface CallOptions<Name extends Operation> {
  /** Fills the `{id}` of the path. */
  id?: string;
  query?: Query<Operations[Name]["query"]>;
  body?: Operations[Name]["body"] | undefined;
  idempotencyKey?: string;
  signal?: AbortSignal | undefined;
}

/** Sends one request; rejects if there is no response, with an ApiError if it knows the cause. */
export type Transport = (path: string, init: RequestInit) => Promise<Response>;

/** Query parameters by their names in the contract; empty ones are left out. */
export type Query<Name extends string = string> = { [Parameter in Name]?: string | undefined };
export type TicketQuery = Query<Operations["GET /api/tickets"]["query"]>;
export type PageQuery = Query<Operations["GET /api/orders"]["query"]>;
export type SalesQuery = Query<Operations["GET /api/orders/sales"]["query"]>;

export interface Api {
  signUp(credentials: SignInRequest): Promise<User>;
  signIn(credentials: SignInRequest): Promise<User>;
  signOut(): Promise<void>;
  /** The signed-in user, or null. Also renews the session cookie. */
  currentUser(): Promise<Answer<User | null>>;
  /** Mails the signed-in user a link that confirms the e-mail address. */
  requestVerification(): Promise<void>;
  /** Confirms the e-mail address with the token of the mailed link. */
  confirmEmail(token: string): Promise<void>;
  /** Mails a link for a new password. The response is the same whether or not the address has an account. */
  requestPasswordReset(email: string): Promise<void>;
  /** Sets a new password with the token of the mailed link, and ends all sessions. */
  resetPassword(token: string, password: string): Promise<void>;
  /** Ends all other sessions. */
  changePassword(currentPassword: string, password: string): Promise<void>;
  /** Ends all sessions, this one too. */
  signOutEverywhere(): Promise<void>;
  /** The open sessions in browsers, the last used first. */
  listSessions(signal?: AbortSignal): Promise<SessionResponse[]>;
  /** Ends one open session, after the password. */
  endSession(id: string, password: string): Promise<void>;
  /** Whether a sign-in asks for a code. */
  getSecondFactor(signal?: AbortSignal): Promise<SecondFactorResponse>;
  /** A new secret, which `confirmSecondFactor` turns on. */
  enrolSecondFactor(password: string): Promise<EnrolmentResponse>;
  /** Turns the second factor on, and ends all other sessions. Returns the recovery codes, which no other call shows. */
  confirmSecondFactor(code: string): Promise<string[]>;
  /** Returns new recovery codes, voids the former ones, and ends all other sessions. */
  replaceRecoveryCodes(password: string, code: string): Promise<string[]>;
  /** Turns the second factor off, and ends all other sessions. */
  turnOffSecondFactor(password: string, code: string): Promise<void>;
  /** The data that is stored about the account. */
  exportAccount(): Promise<ExportResponse>;
  deleteAccount(password: string): Promise<void>;
  listTickets(query: TicketQuery, signal?: AbortSignal): Promise<Page<Ticket>>;
  listMyTickets(query: PageQuery, signal?: AbortSignal): Promise<Page<Ticket>>;
  getTicket(id: string, signal?: AbortSignal): Promise<Ticket>;
  createTicket(input: TicketInput, idempotencyKey: string): Promise<Ticket>;
  updateTicket(id: string, input: TicketInput): Promise<Ticket>;
  deleteTicket(id: string): Promise<void>;
  /** Calls the event off: every order of it ends, and what was paid is refunded. */
  cancelTicket(id: string, idempotencyKey: string): Promise<Ticket>;
  createOrder(input: OrderInput, idempotencyKey: string): Promise<Order>;
  listOrders(query: PageQuery, signal?: AbortSignal): Promise<Page<Order>>;
  getOrder(id: string, signal?: AbortSignal): Promise<Order>;
  cancelOrder(id: string): Promise<void>;
  /** The paid orders of one of the user's own listings. */
  listSales(query: SalesQuery, signal?: AbortSignal): Promise<Page<Order>>;
  /** Refunds a paid order of one of the user's own listings. */
  refundOrder(id: string, idempotencyKey: string): Promise<Order>;
  listPasses(orderId: string, signal?: AbortSignal): Promise<Pass[]>;
  /** The public keys that verify the codes of passes. */
  getPassKeys(signal?: AbortSignal): Promise<PublicKey[]>;
  /** Admits with the code of a pass, once. */
  checkIn(input: CheckinRequest, idempotencyKey: string, signal?: AbortSignal): Promise<Checkin>;
  countCheckins(ticketId: string, signal?: AbortSignal): Promise<CheckinCounts>;
  pay(input: PaymentRequest, idempotencyKey: string): Promise<Payment>;
  /** Makes the payments service read the payment's status from Stripe, after the browser has finished its part. */
  refreshPayment(id: string): Promise<Payment>;
}

interface ApiOptions {
  onResponse?: (response: Response, startedAt: number) => void;
  /** How to repeat safe calls; without it, no call is repeated. */
  retryPolicy?: RetryPolicy;
  /** Limits the retries of all calls together. */
  budget?: RetryBudget;
}

/** Every call of the returned object rejects with `ApiError` only (except for an abort). */
export function createApi(
  transport: Transport,
  { onResponse = () => {}, retryPolicy, budget = new RetryBudget() }: ApiOptions = {},
): Api {
  function call<Name extends Operation>(
    operation: Name,
    options: CallOptions<Name> = {},
  ): Promise<Answer<Operations[Name]["answer"]>> {
    const send = () => callOnce(operation, options);
    const method = operation.slice(0, operation.indexOf(" "));
    if (!retryPolicy || !isRepeatable(method, options.idempotencyKey)) return send();
    return withRetries(send, { retryPolicy, budget, signal: options.signal });
  }

  async function callOnce<Name extends Operation>(
    operation: Name,
    options: CallOptions<Name>,
  ): Promise<Answer<Operations[Name]["answer"]>> {
    const [method = "", template = ""] = operation.split(" ");
    const path = template.replace("{id}", encodeURIComponent(options.id ?? "")) + queryString(options.query ?? {});
    const headers: Record<string, string> = { Accept: "application/json, application/problem+json" };
    const init: RequestInit = { method, headers };
    if (options.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(options.body);
    }
    if (options.idempotencyKey) headers["Idempotency-Key"] = options.idempotencyKey;
    if (options.signal) init.signal = options.signal;

    const startedAt = Date.now();
    let response: Response;
    try {
      response = await transport(path, init);
    } catch (error) {
      if (error instanceof ApiError || (error instanceof DOMException && error.name === "AbortError")) throw error;
      throw unreachable();
    }
    onResponse(response, startedAt);
    if (!response.ok) throw await errorFrom(response);
    const body = response.status === 204 ? undefined : await response.json().catch(() => Promise.reject(unreachable()));
    return { body, headers: response.headers };
  }

  async function body<Name extends Operation>(
    operation: Name,
    options?: CallOptions<Name>,
  ): Promise<Operations[Name]["answer"]> {
    return (await call(operation, options)).body;
  }

  async function page<Name extends PagedOperation>(
    operation: Name,
    query: CallOptions<Name>["query"],
    signal?: AbortSignal,
  ): Promise<Page<Operations[Name]["answer"][number]>> {
    const answer = await call(operation, { ...(query && { query }), signal });
    return { items: answer.body, next: nextCursor(answer.headers.get("link")) };
  }

  return {
    signUp: (credentials) => body("POST /api/users/signup", { body: credentials }),
    signIn: (credentials) => body("POST /api/users/signin", { body: credentials }),
    signOut: async () => void (await body("POST /api/users/signout")),
    async currentUser() {
      const answer = await call("GET /api/users/currentuser");
      return { body: answer.body.currentUser, headers: answer.headers };
    },
    requestVerification: async () => void (await body("POST /api/users/verification")),
    confirmEmail: async (token) => void (await body("POST /api/users/verification/confirm", { body: { token } })),
    requestPasswordReset: async (email) => void (await body("POST /api/users/password-reset", { body: { email } })),
    resetPassword: async (token, password) =>
      void (await body("POST /api/users/password-reset/confirm", { body: { token, password } })),
    changePassword: async (currentPassword, password) =>
      void (await body("PUT /api/users/password", { body: { currentPassword, password } })),
    listSessions: (signal) => body("GET /api/users/sessions", { signal }),
    endSession: async (id, password) =>
      void (await body("DELETE /api/users/sessions/{id}", { id, body: { password } })),
    getSecondFactor: (signal) => body("GET /api/users/second-factor", { signal }),
    enrolSecondFactor: (password) => body("POST /api/users/second-factor", { body: { password } }),
    confirmSecondFactor: async (code) =>
      (await body("POST /api/users/second-factor/confirm", { body: { code } })).recoveryCodes,
    replaceRecoveryCodes: async (password, code) =>
      (await body("POST /api/users/second-factor/recovery-codes", { body: { password, code } })).recoveryCodes,
    turnOffSecondFactor: async (password, code) =>
      void (await body("DELETE /api/users/second-factor", { body: { password, code } })),
    signOutEverywhere: async () => void (await body("POST /api/users/signout-everywhere")),
    exportAccount: () => body("GET /api/users/me/export"),
    deleteAccount: async (password) => void (await body("DELETE /api/users/me", { body: { password } })),
    listTickets: (query, signal) => page("GET /api/tickets", query, signal),
    listMyTickets: (query, signal) => page("GET /api/tickets/mine", query, signal),
    getTicket: (id, signal) => body("GET /api/tickets/{id}", { id, signal }),
    createTicket: (input, idempotencyKey) => body("POST /api/tickets", { body: input, idempotencyKey }),
    updateTicket: (id, input) => body("PUT /api/tickets/{id}", { id, body: input }),
    deleteTicket: (id) => body("DELETE /api/tickets/{id}", { id }),
    cancelTicket: (id, idempotencyKey) => body("POST /api/tickets/{id}/cancel", { id, idempotencyKey }),
    createOrder: (input, idempotencyKey) => body("POST /api/orders", { body: input, idempotencyKey }),
    listOrders: (query, signal) => page("GET /api/orders", query, signal),
    getOrder: (id, signal) => body("GET /api/orders/{id}", { id, signal }),
    cancelOrder: (id) => body("DELETE /api/orders/{id}", { id }),
    listSales: (query, signal) => page("GET /api/orders/sales", query, signal),
    refundOrder: (id, idempotencyKey) => body("POST /api/orders/{id}/refund", { id, idempotencyKey }),
    listPasses: (id, signal) => body("GET /api/orders/{id}/passes", { id, signal }),
    async getPassKeys(signal) {
      return (await body("GET /api/orders/pass-keys", { signal })).keys;
    },
    checkIn: (input, idempotencyKey, signal) =>
      body("POST /api/orders/checkins", { body: input, idempotencyKey, signal }),
    countCheckins: (ticketId, signal) => body("GET /api/orders/checkins", { query: { ticketId }, signal }),
    pay: (input, idempotencyKey) => body("POST /api/payments", { body: input, idempotencyKey }),
    refreshPayment: (id) => body("POST /api/payments/{id}/refresh", { id }),
  };
}

type PagedOperation = "GET /api/tickets" | "GET /api/tickets/mine" | "GET /api/orders" | "GET /api/orders/sales";

function queryString(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value) parameters.set(name, value);
  }
  const text = parameters.toString();
  return text ? `?${text}` : "";
}
