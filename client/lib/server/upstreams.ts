/** Maps paths to services. Addresses come from the environment at run time, so one build works with any ports. */
import { RefusedError } from "./refusals";

const SERVICES = { users: "AUTH_URL", tickets: "TICKETS_URL", orders: "ORDERS_URL", payments: "PAYMENTS_URL" } as const;

/** The services' limits for request bodies (`max_body_bytes` in their settings); Stripe's webhooks need more. */
const MAX_BODY_BYTES = { users: 64 * 1024, tickets: 64 * 1024, orders: 64 * 1024, payments: 256 * 1024 } as const;

export interface Upstream {
  address: URL;
  /** The maximum size of a forwarded request body, in bytes. */
  maxBodyBytes: number;
}

/**
 * The service for an /api path; null if there is none.
 * Throws RefusedError if the address of a known service is missing or malformed.
 */
export function upstreamFor(path: string): Upstream | null {
  const segment = path.match(/^\/api\/([a-z]+)(?=[/?]|$)/)?.[1];
  if (!segment || !Object.hasOwn(SERVICES, segment)) return null;
  const name = segment as keyof typeof SERVICES;
  const variable = SERVICES[name];
  const address = process.env[variable];
  if (!address || !/^https?:\/\//.test(address) || !URL.canParse(address)) {
    const detail = `${variable} is not set to an http address`;
    throw new RefusedError({ status: 503, title: "Service not configured", detail });
  }
  return { address: new URL(address), maxBodyBytes: MAX_BODY_BYTES[name] };
}
