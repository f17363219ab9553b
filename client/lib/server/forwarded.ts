/** The caller of a request, from the X-Forwarded-* headers of trusted proxies. */
import type { IncomingMessage } from "node:http";
import { BlockList, isIPv6 } from "node:net";
import type { TLSSocket } from "node:tls";

export interface Caller {
  /** The value of X-Forwarded-For for the next hop: the addresses that proxies saw, the nearest last. */
  forwardedFor: string;
  /** The requested host; undefined if the request has none (HTTP/1.0). */
  host: string | undefined;
  scheme: "http" | "https";
}

/**
 * Trusts X-Forwarded-* only from peers in FORWARDED_ALLOW_IPS: addresses and networks, or `*`, with uvicorn's syntax.
 * Unset means that there is no proxy, so callers cannot choose the address that rate limits count.
 */
export function callerOf(incoming: IncomingMessage): Caller {
  const peer = unmapped(incoming.socket.remoteAddress ?? "");
  const { headers } = incoming;
  const own: Caller = {
    forwardedFor: peer,
    host: headers.host,
    scheme: (incoming.socket as TLSSocket).encrypted ? "https" : "http",
  };
  if (!isTrusted(peer)) return own;
  // Next adds the peer if the request has no X-Forwarded-For.
  const chain = listed(headers["x-forwarded-for"]).map(unmapped);
  if (chain.at(-1) !== peer) chain.push(peer);
  const scheme = listed(headers["x-forwarded-proto"])[0];
  return {
    forwardedFor: chain.join(", "),
    host: listed(headers["x-forwarded-host"])[0] ?? own.host,
    scheme: scheme === "https" || scheme === "http" ? scheme : own.scheme,
  };
}

function listed(header: string | string[] | undefined): string[] {
  const values = [header].flat().join(",").split(",");
  return values.map((value) => value.trim()).filter(Boolean);
}

/** A dual-stack listener reports IPv4 addresses as ::ffff:192.0.2.1 (RFC 4291 §2.5.5.2). */
function unmapped(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

let trusted = { setting: "", peers: new BlockList() };

function isTrusted(peer: string): boolean {
  const setting = process.env.FORWARDED_ALLOW_IPS ?? "";
  if (setting.trim() === "*") return true;
  if (setting !== trusted.setting) trusted = { setting, peers: peersOf(setting) };
  return peer !== "" && trusted.peers.check(peer, isIPv6(peer) ? "ipv6" : "ipv4");
}

/** Throws if FORWARDED_ALLOW_IPS is invalid; called at the start, before the first request. */
export function checkTrustedPeers(): void {
  isTrusted("127.0.0.1");
}

/** Throws for an entry that is neither an address nor a network: a typing error must not mean "no proxy". */
function peersOf(setting: string): BlockList {
  const peers = new BlockList();
  for (const entry of listed(setting)) {
    const [address = "", bits] = entry.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (bits === undefined) peers.addAddress(address, family);
    else peers.addSubnet(address, /^\d+$/.test(bits) ? Number(bits) : Number.NaN, family);
  }
  return peers;
}
