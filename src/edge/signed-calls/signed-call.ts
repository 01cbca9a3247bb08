import type { CallSecrets } from "../../config/config";
import { importSecretKey } from "../../lib/secret-key";

/** `t=<ms>,k=<key id>,v1=<hex>`. */
export const SIGNATURE_HEADER = "Tallyroom-Signature";
/** How old a signature may be, including the difference of the two clocks. A repeated call gets a new signature. */
export const SIGNATURE_TOLERANCE_MS = 60_000;

/** What a signature covers. A leaked signature can repeat this call within a minute, and do nothing else. */
export interface SignedCall {
  method: string;
  /** Path and query, as in the URL. */
  path: string;
  body: string | Uint8Array;
}

export type SignatureRejection = { ok: false; reason: string };
export type SignatureResult = { ok: true } | SignatureRejection;

/**
 * The signature header of a call between our own servers. Each such call is safe to make twice, because a response can be lost, so a
 * replay within the tolerance changes nothing.
 */
export async function signCall(call: SignedCall, secret: string, now: number): Promise<string> {
  const id = await keyId(secret);
  const key = await importSecretKey(secret);
  const mac = await crypto.subtle.sign("HMAC", key, await signedPayload(call, now, id));
  return `t=${now},k=${id},v1=${toHex(mac)}`;
}

/** The parts of a signature header. */
export type SignatureHeader = { ok: true; at: number; id: string; hex: string; secret: string };

/** One signature has one spelling: no leading zeros, no spaces, lower-case hex, this order, each part once. */
const SPELLING = /^t=(0|[1-9]\d{0,14}),k=([0-9a-f]{16}),v1=([0-9a-f]{64})$/;

/** Checks all but the signature itself. Runs before the body is read, so that a caller without our key cannot make us read one. */
export async function parseSignature(
  header: string | null,
  secrets: CallSecrets,
  now: number,
): Promise<SignatureHeader | SignatureRejection> {
  if (header === null) return reject(`The call has no ${SIGNATURE_HEADER}.`);
  const [, t, id, hex] = SPELLING.exec(header) ?? [];
  if (t === undefined || id === undefined || hex === undefined) {
    return reject(`The ${SIGNATURE_HEADER} is not t=<ms>,k=<key id>,v1=<hex>.`);
  }
  const at = Number(t);
  if (Math.abs(now - at) > SIGNATURE_TOLERANCE_MS) {
    return reject("The signature is too old, or the clocks are more than a minute apart.");
  }
  const secret = await findSecret(id, secrets);
  if (secret === undefined) return reject("The call is signed with an unknown key.");
  return { ok: true, at, id, hex, secret };
}

export async function verifyCall(
  call: SignedCall,
  header: string | null,
  secrets: CallSecrets,
  now: number,
): Promise<SignatureResult> {
  const signature = await parseSignature(header, secrets, now);
  return signature.ok ? verifySignature(call, signature) : signature;
}

export async function verifySignature(
  call: SignedCall,
  { at, id, hex, secret }: SignatureHeader,
): Promise<SignatureResult> {
  const key = await importSecretKey(secret);
  // The runtime compares in constant time.
  const isValid = await crypto.subtle.verify("HMAC", key, fromHex(hex), await signedPayload(call, at, id));
  return isValid ? { ok: true } : reject("The signature does not match the call.");
}

/** Names a secret without revealing it. */
async function keyId(secret: string): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", await importSecretKey(secret), encode("tallyroom key id"));
  return toHex(mac).slice(0, 16);
}

async function findSecret(id: string, { current, previous }: CallSecrets): Promise<string | undefined> {
  if (id === (await keyId(current))) return current;
  return previous !== undefined && id === (await keyId(previous)) ? previous : undefined;
}

/** One part per line. Only the body could contain a line break, so its digest stands for it. */
async function signedPayload({ method, path, body }: SignedCall, at: number, id: string) {
  const digest = await crypto.subtle.digest(
    "SHA-256",
    typeof body === "string" ? encode(body) : copyBytes(body),
  );
  return encode(["tallyroom-v1", method.toUpperCase(), path, at, id, toHex(digest)].join("\n"));
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function toHex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function reject(reason: string): SignatureRejection {
  return { ok: false, reason };
}
