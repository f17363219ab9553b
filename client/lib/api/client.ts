/** The HTTP client for the services, used in the browser and in getServerSideProps. */
import { ApiError, errorFrom, unreachable } from "./errors";
import type { CheckinRequest, Operations, PaymentRequest, SignInRequest } from "./generated";
import { nextCursor } from "./paging";
import { isRepeatable, RetryBudget, type RetryPolicy, withRetries } from "./retry";
import type { Order, OrderInput, Ticket, TicketInput, User } from "./types";

export interface Page<Item> {
  items: Item[];
  /** Opaque cursor of the next page, from the Link header; null on the last one. */
  next: string | null;
}

interface Answer<Body> {
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
type Query<Name extends string = string> = { [Parameter in Name]?: string | undefined };
export type TicketQuery = Query<Operations["GET /api/tickets"]["query"]>;
type PageQuery = Query<Operations["GET /api/orders"]["query"]>;
type SalesQuery = Query<Operations["GET /api/orders/sales"]["query"]>;

export type Api = ReturnType<typeof createApi>;

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
) {
  function call<Name extends Operation>(
    operation: Name,
    { id = "", query = {}, body, idempotencyKey, signal }: CallOptions<Name> = {},
  ): Promise<Answer<Operations[Name]["answer"]>> {
    const [method = "", template = ""] = operation.split(" ");
    const path = template.replace("{id}", encodeURIComponent(id)) + queryString(query);
    const headers: Record<string, string> = { Accept: "application/json, application/problem+json" };
    const init: RequestInit = { method, headers };
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(body);
    }
    if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
    if (signal) init.signal = signal;
    const send = () => sendOnce(path, init);
    if (!retryPolicy || !isRepeatable(method, idempotencyKey)) return send();
    return withRetries(send, { retryPolicy, budget, signal });
  }

  async function sendOnce(path: string, init: RequestInit) {
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
    signUp: (credentials: SignInRequest): Promise<User> => body("POST /api/users/signup", { body: credentials }),
    signIn: (credentials: SignInRequest): Promise<User> => body("POST /api/users/signin", { body: credentials }),
    signOut: () => body("POST /api/users/signout"),
    /** The signed-in user, or null. Also renews the session cookie. */
    currentUser: async (): Promise<User | null> => (await body("GET /api/users/currentuser")).currentUser,
    /** Mails the signed-in user a link that confirms the e-mail address. */
    requestVerification: () => body("POST /api/users/verification"),
    /** Confirms the e-mail address with the token of the mailed link. */
    confirmEmail: (token: string) => body("POST /api/users/verification/confirm", { body: { token } }),
    /** Mails a link for a new password. The response is the same whether or not the address has an account. */
    requestPasswordReset: (email: string) => body("POST /api/users/password-reset", { body: { email } }),
    /** Sets a new password with the token of the mailed link, and ends all sessions. */
    resetPassword: (token: string, password: string) =>
      body("POST /api/users/password-reset/confirm", { body: { token, password } }),
    /** Ends all other sessions. */
    changePassword: (currentPassword: string, password: string) =>
      body("PUT /api/users/password", { body: { currentPassword, password } }),
    /** The open sessions in browsers, the last used first. */
    listSessions: (signal?: AbortSignal) => body("GET /api/users/sessions", { signal }),
    endSession: (id: string, password: string) => body("DELETE /api/users/sessions/{id}", { id, body: { password } }),
    /** Whether a sign-in asks for a code. */
    getSecondFactor: (signal?: AbortSignal) => body("GET /api/users/second-factor", { signal }),
    /** A new secret, which `confirmSecondFactor` turns on. */
    enrolSecondFactor: (password: string) => body("POST /api/users/second-factor", { body: { password } }),
    /** Turns the second factor on, and ends all other sessions. Returns the recovery codes, which no other call shows. */
    confirmSecondFactor: async (code: string) =>
      (await body("POST /api/users/second-factor/confirm", { body: { code } })).recoveryCodes,
    /** Returns new recovery codes, voids the former ones, and ends all other sessions. */
    replaceRecoveryCodes: async (password: string, code: string) =>
      (await body("POST /api/users/second-factor/recovery-codes", { body: { password, code } })).recoveryCodes,
    /** Turns the second factor off, and ends all other sessions. */
    turnOffSecondFactor: (password: string, code: string) =>
      body("DELETE /api/users/second-factor", { body: { password, code } }),
    /** Ends all sessions, this one too. */
    signOutEverywhere: () => body("POST /api/users/signout-everywhere"),
    /** The data that is stored about the account. */
    exportAccount: () => body("GET /api/users/me/export"),
    deleteAccount: (password: string) => body("DELETE /api/users/me", { body: { password } }),
    listTickets: (query: TicketQuery, signal?: AbortSignal): Promise<Page<Ticket>> =>
      page("GET /api/tickets", query, signal),
    listMyTickets: (query: PageQuery, signal?: AbortSignal): Promise<Page<Ticket>> =>
      page("GET /api/tickets/mine", query, signal),
    getTicket: (id: string, signal?: AbortSignal): Promise<Ticket> => body("GET /api/tickets/{id}", { id, signal }),
    createTicket: (input: TicketInput, idempotencyKey: string): Promise<Ticket> =>
      body("POST /api/tickets", { body: input, idempotencyKey }),
    updateTicket: (id: string, input: TicketInput): Promise<Ticket> =>
      body("PUT /api/tickets/{id}", { id, body: input }),
    deleteTicket: (id: string) => body("DELETE /api/tickets/{id}", { id }),
    /** Calls the event off: every order of it ends, and what was paid is refunded. */
    cancelTicket: (id: string, idempotencyKey: string): Promise<Ticket> =>
      body("POST /api/tickets/{id}/cancel", { id, idempotencyKey }),
    createOrder: (input: OrderInput, idempotencyKey: string): Promise<Order> =>
      body("POST /api/orders", { body: input, idempotencyKey }),
    listOrders: (query: PageQuery, signal?: AbortSignal): Promise<Page<Order>> =>
      page("GET /api/orders", query, signal),
    getOrder: (id: string, signal?: AbortSignal): Promise<Order> => body("GET /api/orders/{id}", { id, signal }),
    cancelOrder: (id: string) => body("DELETE /api/orders/{id}", { id }),
    /** The paid orders of one of the user's own listings. */
    listSales: (query: SalesQuery, signal?: AbortSignal): Promise<Page<Order>> =>
      page("GET /api/orders/sales", query, signal),
    /** Refunds a paid order of one of the user's own listings. */
    refundOrder: (id: string, idempotencyKey: string): Promise<Order> =>
      body("POST /api/orders/{id}/refund", { id, idempotencyKey }),
    listPasses: (id: string, signal?: AbortSignal) => body("GET /api/orders/{id}/passes", { id, signal }),
    /** The public keys that verify the codes of passes. */
    getPassKeys: async () => (await body("GET /api/orders/pass-keys")).keys,
    /** Admits with the code of a pass, once. */
    checkIn: (input: CheckinRequest, idempotencyKey: string, signal?: AbortSignal) =>
      body("POST /api/orders/checkins", { body: input, idempotencyKey, signal }),
    countCheckins: (ticketId: string) => body("GET /api/orders/checkins", { query: { ticketId } }),
    pay: (input: PaymentRequest, idempotencyKey: string) => body("POST /api/payments", { body: input, idempotencyKey }),
    /** Makes the payments service read the payment's status from Stripe, after the browser has finished its part. */
    refreshPayment: (id: string) => body("POST /api/payments/{id}/refresh", { id }),
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
