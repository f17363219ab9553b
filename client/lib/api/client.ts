/** The one place that talks HTTP to the services; the same calls in the browser and in getServerSideProps. */
import { ApiError, errorFrom, unreachable } from "./errors";
import { nextCursor } from "./link";
import type { Order, Payment, Ticket, TicketInput, User } from "./types";

export interface Page<Item> {
  items: Item[];
  /** Opaque cursor of the next page, from the Link header; null on the last one. */
  next: string | null;
}

export interface Answer<Body> {
  body: Body;
  headers: Headers;
}

export interface CallOptions {
  body?: unknown;
  idempotencyKey?: string;
  signal?: AbortSignal;
}

/** Carries one request; rejects when no answer comes, with an ApiError where it knows better than "no connection" why. */
export type Transport = (path: string, init: RequestInit) => Promise<Response>;

export type Query = Record<string, string | undefined>;

export interface Api {
  signUp(credentials: { email: string; password: string }): Promise<User>;
  signIn(credentials: { email: string; password: string }): Promise<User>;
  signOut(): Promise<void>;
  /** The signed-in user, or null. Also renews the session cookie. */
  currentUser(): Promise<Answer<User | null>>;
  listTickets(query: Query, signal?: AbortSignal): Promise<Page<Ticket>>;
  listMyTickets(query: Query, signal?: AbortSignal): Promise<Page<Ticket>>;
  getTicket(id: string): Promise<Ticket>;
  createTicket(input: TicketInput, idempotencyKey: string): Promise<Ticket>;
  updateTicket(id: string, input: TicketInput): Promise<Ticket>;
  deleteTicket(id: string): Promise<void>;
  holdTicket(ticketId: string, idempotencyKey: string): Promise<Order>;
  listOrders(query: Query, signal?: AbortSignal): Promise<Page<Order>>;
  getOrder(id: string, signal?: AbortSignal): Promise<Order>;
  cancelOrder(id: string): Promise<void>;
  pay(input: { orderId: string; paymentMethodId: string }, idempotencyKey: string): Promise<Payment>;
  /** Asks payments to look the payment up at Stripe, after the browser finished its part. */
  refreshPayment(id: string): Promise<Payment>;
}

/** Every call of the returned object rejects with `ApiError` and nothing else (except an abort). */
export function createApi(
  transport: Transport,
  onAnswer: (response: Response, startedAt: number) => void = () => {},
): Api {
  async function call<Body>(method: string, path: string, options: CallOptions = {}): Promise<Answer<Body>> {
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
    onAnswer(response, startedAt);
    if (!response.ok) throw await errorFrom(response);
    const body = response.status === 204 ? undefined : await response.json().catch(() => Promise.reject(unreachable()));
    return { body: body as Body, headers: response.headers };
  }

  async function body<Body>(method: string, path: string, options?: CallOptions): Promise<Body> {
    return (await call<Body>(method, path, options)).body;
  }

  async function page<Item>(path: string, query: Query, signal?: AbortSignal): Promise<Page<Item>> {
    const answer = await call<Item[]>("GET", path + queryString(query), signal ? { signal } : {});
    return { items: answer.body, next: nextCursor(answer.headers.get("link")) };
  }

  return {
    signUp: (credentials) => body("POST", "/api/users/signup", { body: credentials }),
    signIn: (credentials) => body("POST", "/api/users/signin", { body: credentials }),
    signOut: () => body("POST", "/api/users/signout", { body: {} }),
    async currentUser() {
      const answer = await call<{ currentUser: User | null }>("GET", "/api/users/currentuser");
      return { body: answer.body.currentUser, headers: answer.headers };
    },
    listTickets: (query, signal) => page("/api/tickets", query, signal),
    listMyTickets: (query, signal) => page("/api/tickets/mine", query, signal),
    getTicket: (id) => body("GET", `/api/tickets/${encodeURIComponent(id)}`),
    createTicket: (input, idempotencyKey) => body("POST", "/api/tickets", { body: input, idempotencyKey }),
    updateTicket: (id, input) => body("PUT", `/api/tickets/${encodeURIComponent(id)}`, { body: input }),
    deleteTicket: (id) => body("DELETE", `/api/tickets/${encodeURIComponent(id)}`),
    holdTicket: (ticketId, idempotencyKey) => body("POST", "/api/orders", { body: { ticketId }, idempotencyKey }),
    listOrders: (query, signal) => page("/api/orders", query, signal),
    getOrder: (id, signal) => body("GET", `/api/orders/${encodeURIComponent(id)}`, signal ? { signal } : {}),
    cancelOrder: (id) => body("DELETE", `/api/orders/${encodeURIComponent(id)}`),
    pay: (input, idempotencyKey) => body("POST", "/api/payments", { body: input, idempotencyKey }),
    refreshPayment: (id) => body("POST", `/api/payments/${encodeURIComponent(id)}/refresh`, { body: {} }),
  };
}

function queryString(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value) parameters.set(name, value);
  }
  const text = parameters.toString();
  return text ? `?${text}` : "";
}
