/** What the browser must know about this deployment; read per request, so the build knows nothing of it. */

export interface RuntimeConfig {
  stripe: {
    publishableKey: string;
    /** Address of a Stripe double's script; null means Stripe's own. */
    scriptUrl: string | null;
  } | null;
}

export function runtimeConfig(): RuntimeConfig {
  const publishableKey = process.env.STRIPE_PUBLISHABLE_KEY;
  if (!publishableKey) return { stripe: null };
  const scriptUrl = process.env.STRIPE_JS_URL;
  return { stripe: { publishableKey, scriptUrl: scriptUrl && !isStripesOwn(scriptUrl) ? scriptUrl : null } };
}

function isStripesOwn(address: string): boolean {
  return new URL(address).hostname.endsWith(".stripe.com");
}
