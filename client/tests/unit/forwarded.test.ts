/** The caller that a service sees. */
import type { IncomingMessage } from "node:http";
import { expect, it, vi } from "vitest";
import { callerOf, checkTrustedPeers } from "@/lib/server/forwarded";

function caller(peer: string, headers: Record<string, string>, trusted = "") {
  vi.stubEnv("FORWARDED_ALLOW_IPS", trusted);
  return callerOf({
    socket: { remoteAddress: peer },
    headers: { host: "requested", ...headers },
  } as unknown as IncomingMessage);
}

const FORWARDED = {
  "x-forwarded-for": "203.0.113.9, 198.51.100.7",
  "x-forwarded-proto": "https",
  "x-forwarded-host": "shop",
};

it.each([
  ["no proxy is trusted", "10.1.2.3", ""],
  ["others are", "192.0.2.1", "10.0.0.0/8,::1"],
  ["the peer is unknown", "", "10.0.0.0/8"],
])("believes nothing when %s", (_case, peer, trusted) => {
  expect(caller(peer, FORWARDED, trusted)).toEqual({ forwardedFor: peer, host: "requested", scheme: "http" });
});

it.each([
  ["10.1.2.3", "10.0.0.0/8"],
  ["10.1.2.3", "192.168.0.0/16, 10.1.2.3"],
  ["::ffff:10.1.2.3", "10.0.0.0/8"],
  ["fc00::7", "fc00::/7"],
  ["192.0.2.1", "*"],
])("believes %s where %s is trusted, and adds it to the chain", (peer, trusted) => {
  const own = peer.replace("::ffff:", "");
  expect(caller(peer, FORWARDED, trusted)).toEqual({
    forwardedFor: `203.0.113.9, 198.51.100.7, ${own}`,
    host: "shop",
    scheme: "https",
  });
});

it("names a trusted peer once if Next has already added it", () => {
  expect(caller("::ffff:10.1.2.3", { "x-forwarded-for": "::ffff:10.1.2.3" }, "*").forwardedFor).toBe("10.1.2.3");
});

it.each(["ten.0.0.1", "10.0.0.0/99", "10.0.0.0/", "10.0.0.0/x"])(
  "refuses to start with %s as a trusted peer",
  (trusted) => {
    vi.stubEnv("FORWARDED_ALLOW_IPS", trusted);
    expect(checkTrustedPeers).toThrow();
  },
);
