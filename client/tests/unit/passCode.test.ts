/** The verification of pass codes in the browser, with WebCrypto and with the fallback. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { PublicKey } from "@/lib/api/types";

const PASS = "a".repeat(24);
const TICKET = "b".repeat(24);
const CLAIMS = { pass: PASS, ticket: TICKET, seat: 3, starts: 1_900_000_000 };
const one = generateKeyPairSync("ed25519");
const other = generateKeyPairSync("ed25519");

function jwk(key: KeyObject, kid: string): PublicKey {
  const { x = "" } = key.export({ format: "jwk" });
  return { kty: "OKP", crv: "Ed25519", x, kid, use: "sig", alg: "EdDSA" };
}

function code(claims: object = CLAIMS, header: object = { alg: "EdDSA", kid: "one" }, key = one.privateKey): string {
  const content = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${content}.${sign(null, Buffer.from(content), key).toString("base64url")}`;
}

const keys = [jwk(other.publicKey, "other"), jwk(one.publicKey, "one")];

/** Whether WebCrypto has Ed25519 is asked once per module. */
async function load() {
  vi.resetModules();
  return import("@/lib/checkin/passCode");
}

describe.each([
  ["WebCrypto", () => {}],
  [
    "the fallback, without Ed25519 in WebCrypto",
    () => {
      const importKey = () => Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
      vi.stubGlobal("crypto", { subtle: { importKey } });
    },
  ],
  ["the fallback, on a plain-HTTP origin", () => vi.stubGlobal("crypto", {})],
])("with %s", (_name, prepare) => {
  it("a signed code is a pass, and each change of it is not", async () => {
    prepare();
    const { verifyPassCode } = await load();
    const claims = { passId: PASS, ticketId: TICKET, seat: 3, startsAt: 1_900_000_000 };
    expect(await verifyPassCode(code(), keys)).toEqual({ kind: "pass", claims });
    const [head, , signature] = code().split(".");
    const moved = Buffer.from(JSON.stringify({ ...CLAIMS, seat: 4 })).toString("base64url");
    expect(await verifyPassCode(`${head}.${moved}.${signature}`, keys)).toEqual({ kind: "invalid" });
    expect(await verifyPassCode(code(CLAIMS, undefined, other.privateKey), keys)).toEqual({ kind: "invalid" });
    expect(await verifyPassCode(code().slice(0, -4), keys)).toEqual({ kind: "invalid" });
  });
});

/** docs/passes.md describes them for other scanners; infra/ops/tests/test_passes.py runs them against the services' code. */
const VECTORS = JSON.parse(readFileSync(`${import.meta.dirname}/../../../docs/pass-vectors.json`, "utf8")) as {
  keys: PublicKey[];
  vectors: { name: string; code: string; claims: Record<string, unknown> | null }[];
};

it.each(VECTORS.vectors)("the documented vector is decided as documented: $name", async ({ code: text, claims }) => {
  const { verifyPassCode } = await load();
  const verification = await verifyPassCode(text, VECTORS.keys);
  if (claims === null) {
    expect(verification.kind).not.toBe("pass");
    return;
  }
  const { pass: passId, ticket: ticketId, seat, starts: startsAt = null } = claims;
  expect(verification).toEqual({ kind: "pass", claims: { passId, ticketId, seat, startsAt } });
});

it("an event without a time has no start, and unknown claims are ignored", async () => {
  const { verifyPassCode } = await load();
  const { starts: _, ...undated } = CLAIMS;
  expect(await verifyPassCode(code({ ...undated, gate: "north" }), keys)).toMatchObject({
    kind: "pass",
    claims: { startsAt: null },
  });
});

it("an unknown key is told apart from a wrong signature", async () => {
  const { verifyPassCode } = await load();
  expect(await verifyPassCode(code(CLAIMS, { alg: "EdDSA", kid: "next" }), keys)).toEqual({ kind: "unknownKey" });
});

it.each([
  ["another algorithm", code(CLAIMS, { alg: "none", kid: "one" })],
  ["a critical extension", code(CLAIMS, { alg: "EdDSA", kid: "one", crit: ["exp"], exp: 1 })],
  ["a malformed pass id", code({ ...CLAIMS, pass: "A".repeat(24) })],
  ["no ticket", code({ ...CLAIMS, ticket: undefined })],
  ["a seat below 1", code({ ...CLAIMS, seat: 0 })],
  ["a seat that is text", code({ ...CLAIMS, seat: "3" })],
  ["a start that is text", code({ ...CLAIMS, starts: "soon" })],
  ["more than 512 characters", code({ ...CLAIMS, more: "x".repeat(600) })],
])("a code with %s is invalid", async (_name, text) => {
  const { verifyPassCode } = await load();
  expect(await verifyPassCode(text, keys)).toEqual({ kind: "invalid" });
});

it("any other text is invalid, and never an error", async () => {
  const { verifyPassCode } = await load();
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.base64String(), { maxLength: 4 }).map((parts) => parts.join(".")),
  );
  await fc.assert(
    fc.asyncProperty(text, async (scanned) => {
      expect(await verifyPassCode(scanned, keys)).toEqual({ kind: "invalid" });
    }),
  );
});
