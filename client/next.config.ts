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
  // Where password managers send their users to change a password (W3C, A Well-Known URL for Changing Passwords).
  redirects: async () => [{ source: "/.well-known/change-password", destination: "/account", permanent: false }],
  experimental: { scrollRestoration: true },
};

export default config;
