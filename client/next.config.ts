import type { NextConfig } from "next";

/** Nothing here depends on where the product runs: one build serves any ports and hosts. */
const config: NextConfig = {
  output: "standalone",
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
  poweredByHeader: false,
  reactStrictMode: true,
  // The product has no pictures to resize, so the endpoint that resizes them is closed.
  images: { unoptimized: true },
  // The gateway forwards /api/* untouched; a redirect of "/api/x/" would be an answer the services never gave.
  skipTrailingSlashRedirect: true,
  experimental: { scrollRestoration: true },
};

export default config;
