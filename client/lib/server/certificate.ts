/** The server's own certificate: with TLS_CERT_FILE and TLS_KEY_FILE it speaks HTTPS only. */
import { readFileSync, statSync } from "node:fs";
import type { createServer, ServerOptions } from "node:http";
import https from "node:https";

interface Files {
  cert: string;
  key: string;
}

/** A TCP connection without a TLS handshake is closed after this time. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Null without the settings; throws if only one is set: a typing error must not mean "in the clear". */
export function certificateFiles(): Files | null {
  const { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } = process.env;
  if (!cert && !key) return null;
  if (!cert || !key) throw new Error("TLS_CERT_FILE and TLS_KEY_FILE must both be set");
  return { cert, key };
}

/**
 * Creates servers in place of `http.createServer`. Changed files are read again at the next connection, before its
 * handshake: the kubelet replaces the files of a mounted Secret, and no interval or watcher is needed.
 */
export function secureServers(files: Files): typeof createServer {
  return ((options: ServerOptions) => {
    let read = stamp(files);
    const server = https.createServer({ ...options, ...contents(files), handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
    let refused = "";
    // Node's own listener starts the handshake.
    server.prependListener("connection", () => {
      let now = "";
      try {
        now = stamp(files);
        if (now === read) return;
        server.setSecureContext(contents(files));
        read = now;
      } catch (error) {
        // The certificate before is still valid for a month.
        if (now !== refused) console.error(`certificate not renewed: ${(error as NodeJS.ErrnoException).code}`);
        refused = now;
      }
    });
    return server;
  }) as typeof createServer;
}

function contents({ cert, key }: Files): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

function stamp({ cert, key }: Files): string {
  return [cert, key]
    .map((file) => statSync(file, { bigint: true }))
    .map(({ ino, mtimeNs, size }) => `${ino} ${mtimeNs} ${size}`)
    .join();
}
