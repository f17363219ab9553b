import type { NextConfig } from "next";

/** Nothing here depends on the deployment: one build works with any ports and hosts. */
const config: NextConfig = {
  output: "standalone",
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
  poweredByHeader: false,
  reactStrictMode: true,
  // The product has no images to resize, so the endpoint for that is disabled.
  images: { unoptimized: true },
  // The gateway forwards /api/* unchanged; a redirect of "/api/x/" would not be the services' response.
  skipTrailingSlashRedirect: true,
  experimental: { scrollRestoration: true },
};

export default config;
