/** The Content-Security-Policy: our own origin, scripts by nonce, and Stripe (or its double) for payments. */
import { runtimeConfig } from "./runtimeConfig";

const STRIPE_SCRIPTS = ["https://js.stripe.com", "https://*.js.stripe.com"];
const STRIPE_FRAMES = [...STRIPE_SCRIPTS, "https://hooks.stripe.com"];

interface Exceptions {
  /** Absent for responses without scripts. */
  nonce?: string | undefined;
  /** Allows WebAssembly, but not the evaluation of text as script (CSP Level 3, 'wasm-unsafe-eval'). */
  wasm?: boolean;
}

export function contentSecurityPolicy({ nonce, wasm = false }: Exceptions = {}): string {
  const { stripe } = runtimeConfig();
  const double = stripe?.scriptUrl ? [new URL(stripe.scriptUrl).origin] : [];
  const real = stripe && !stripe.scriptUrl;
  const directives: Record<string, string[]> = {
    "default-src": ["'self'"],
    "script-src": [
      "'self'",
      ...(nonce ? [`'nonce-${nonce}'`] : []),
      ...(wasm ? ["'wasm-unsafe-eval'"] : []),
      ...double,
      ...(real ? STRIPE_SCRIPTS : []),
    ],
    "connect-src": ["'self'", ...double, ...(real ? ["https://api.stripe.com"] : [])],
    "frame-src": real ? STRIPE_FRAMES : ["'none'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
  };
  return Object.entries(directives)
    .map(([name, sources]) => `${name} ${sources.join(" ")}`)
    .join("; ");
}
