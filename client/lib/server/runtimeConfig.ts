/** What the browser must know about this deployment; read per request, so the build knows nothing of it. */

export interface RuntimeConfig {
  stripe: {
    publishableKey: string;
    /** Address of a Stripe double's script; null means Stripe's own. */
    scriptUrl: string | null;
  } | null;
}

const STRIPE_ORIGIN = "https://js.stripe.com";

export function runtimeConfig(): RuntimeConfig {
  const publishableKey = process.env.STRIPE_PUBLISHABLE_KEY;
  if (!publishableKey) return { stripe: null };
  const scriptUrl = process.env.STRIPE_JS_URL;
  return {
    stripe: { publishableKey, scriptUrl: scriptUrl && !scriptUrl.startsWith(STRIPE_ORIGIN) ? scriptUrl : null },
  };
}
