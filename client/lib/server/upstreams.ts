/** Which service answers which path. Addresses come from the environment at run time, so one build serves any ports. */

const SERVICES = { users: "AUTH_URL", tickets: "TICKETS_URL", orders: "ORDERS_URL", payments: "PAYMENTS_URL" } as const;

export class UpstreamNotConfiguredError extends Error {
  override readonly name = "UpstreamNotConfiguredError";

  constructor(readonly variable: string) {
    super(`${variable} is not set to an http address; the client does not know where that service is`);
  }
}

/**
 * The base URL of the service that owns an /api path; null when none does.
 * Raises UpstreamNotConfiguredError when the service is known and its address is missing or malformed.
 */
export function upstreamFor(path: string): URL | null {
  const segment = path.match(/^\/api\/([a-z]+)(?=[/?]|$)/)?.[1];
  if (!segment || !Object.hasOwn(SERVICES, segment)) return null;
  const variable = SERVICES[segment as keyof typeof SERVICES];
  const address = process.env[variable];
  if (!address || !/^https?:\/\//.test(address) || !URL.canParse(address)) {
    throw new UpstreamNotConfiguredError(variable);
  }
  return new URL(address);
}
