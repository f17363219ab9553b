/**
 * Starts Next's standalone server with our limits, and with HTTPS if it has a certificate. Next creates its HTTP server
 * itself and has a setting for the keep-alive time only, so this file replaces `http.createServer` for that one call.
 * `npm run build` compiles this file to .next/standalone/server.js.
 */
import http, { type RequestListener } from "node:http";
import { BOUNDS, boundedServer } from "./bounds";
import { certificateFiles, secureServers } from "./certificate";
import { checkTrustedPeers } from "./forwarded";

checkTrustedPeers();
const files = certificateFiles();
const createServer = http.createServer;
http.createServer = ((listener: RequestListener) => {
  http.createServer = createServer;
  return boundedServer(listener, BOUNDS, files ? secureServers(files) : createServer);
}) as typeof createServer;

await import(/* @vite-ignore */ new URL("next-server.js", import.meta.url).href);

if (http.createServer !== createServer) {
  console.error("Next does not call http.createServer, so its server has no limits; see lib/server/start.ts");
  process.exit(1);
}
