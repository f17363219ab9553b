/**
 * The code of a pass: a compact JWS (RFC 7515) with EdDSA over Ed25519 (RFC 8037), described in docs/passes.md. It is
 * verified here, without a network.
 */
import type { PublicKey } from "../api/types";

export interface PassClaims {
  passId: string;
  ticketId: string;
  seat: number;
  /** Seconds since the epoch; null for an event without a time. */
  startsAt: number | null;
}

export type Verification =
  | { kind: "pass"; claims: PassClaims }
  /** Signed with a key that this device does not know: forged, or newer than the kept keys. */
  | { kind: "unknownKey" }
  | { kind: "invalid" };

/** Characters; the service refuses longer codes. */
export const MAX_CODE_LENGTH = 512;

const INVALID: Verification = { kind: "invalid" };
const ID = /^[0-9a-f]{24}$/;
const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** Never rejects: text that is not a code of ours is `invalid`. */
export async function verifyPassCode(code: string, keys: PublicKey[]): Promise<Verification> {
  const parts = code.split(".");
  const [head = "", payload = "", signature = ""] = parts;
  if (code.length > MAX_CODE_LENGTH || parts.length !== 3 || !parts.every((part) => BASE64URL.test(part))) {
    return INVALID;
  }
  const header = readObject(head);
  // The algorithm is fixed (RFC 8725 §3.1), and an unknown critical extension must be refused (RFC 7515 §4.1.11).
  if (header?.alg !== "EdDSA" || "crit" in header) return INVALID;
  const key = keys.find(({ kid }) => kid === header.kid);
  if (!key) return { kind: "unknownKey" };
  const claims = claimsOf(readObject(payload));
  const signed = new TextEncoder().encode(`${head}.${payload}`);
  if (!claims || !(await isSignedBy(key, signature, signed))) return INVALID;
  return { kind: "pass", claims };
}

function claimsOf(payload: Record<string, unknown> | null): PassClaims | null {
  const { pass, ticket, seat, starts = null } = payload ?? {};
  if (typeof pass !== "string" || !ID.test(pass) || typeof ticket !== "string" || !ID.test(ticket)) return null;
  if (typeof seat !== "number" || !Number.isSafeInteger(seat) || seat < 1) return null;
  if (starts !== null && (typeof starts !== "number" || !Number.isSafeInteger(starts))) return null;
  return { passId: pass, ticketId: ticket, seat, startsAt: starts };
}

function readObject(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(decode(part)));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/**
 * Throws for text that is not base64url, and for a second spelling of the same bytes (RFC 4648 §3.5), which `atob` accepts:
 * the service refuses it, so a pass that was admitted with it would not be checked in.
 */
function decode(text: string): Uint8Array<ArrayBuffer> {
  const standard = text.replaceAll("-", "+").replaceAll("_", "/");
  const binary = atob(standard);
  if (btoa(binary).replace(/=+$/, "") !== standard) throw new Error("unused bits are not zero");
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

async function isSignedBy({ x }: PublicKey, signatureText: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  try {
    const signature = decode(signatureText);
    if (!(await hasEd25519())) return (await loadFallback()).verify(signature, signed, decode(x), { zip215: false });
    const key = await crypto.subtle.importKey("raw", decode(x), "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, signature, signed);
  } catch {
    // A key or a signature of the wrong length, or not in base64url.
    return false;
  }
}

/** Any valid public key: only the support of the algorithm is asked (RFC 8032 §7.1, test 1). */
const SOME_KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

let supported: Promise<boolean> | undefined;

/** WebCrypto lacks Ed25519 in browsers from before 2025, and does not exist at all on plain-HTTP origins. */
function hasEd25519(): Promise<boolean> {
  supported ??= Promise.resolve()
    .then(() => crypto.subtle.importKey("raw", decode(SOME_KEY), "Ed25519", false, ["verify"]))
    .then(
      () => true,
      () => false,
    );
  return supported;
}

async function loadFallback() {
  return (await import("@noble/curves/ed25519.js")).ed25519;
}

/** Loads what verification needs, so that it works offline later. */
export async function prepareVerification(): Promise<void> {
  if (!(await hasEd25519())) await loadFallback();
}
