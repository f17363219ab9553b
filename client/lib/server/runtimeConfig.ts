/** Deployment settings for the browser; read per request, so that the build does not contain them. */

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
