/**
 * Starts Next's standalone server within bounds. Next makes its HTTP server itself and lets its keep-alive time be set
 * only; so the one server that it makes is made by us. `npm run build` turns this file into .next/standalone/server.js.
 */
import http, { type RequestListener } from "node:http";
import { BOUNDS, boundedServer } from "./bounds";
import { checkTrustedPeers } from "./forwarded";

checkTrustedPeers();
const createServer = http.createServer;
http.createServer = ((listener: RequestListener) => {
  http.createServer = createServer;
  return boundedServer(listener, BOUNDS, createServer);
}) as typeof createServer;

await import(/* @vite-ignore */ new URL("next-server.js", import.meta.url).href);

if (http.createServer !== createServer) {
  console.error(
    "Next's server is not made by http.createServer any more, so it has no bounds; see lib/server/start.ts",
  );
  process.exit(1);
}
