import { secretKey } from "../../identity/secret-key";

/** `t=<ms>,k=<key id>,v1=<hex>`. */
export const SIGNATURE_HEADER = "Tallyroom-Signature";
/** How far apart the two clocks may be, with the time under way. A call that is repeated is signed anew. */
export const SIGNATURE_TOLERANCE_MS = 60_000;

/** What a signature covers: whoever holds one can do this once more within the minute, and nothing else with it. */
export interface Call {
  method: string;
  /** Path and query, as they stand in the address. */
  path: string;
  body: string | Uint8Array;
}

/** The present secret, and the one before it while both sides change over. */
export interface CallSecrets {
  present: string;
  old?: string;
}

export type SignatureRefused = { ok: false; reason: string };
export type SignatureResult = { ok: true } | SignatureRefused;

/**
 * The header's value. Calls between our own platforms are signed so; each must bear being made twice, since an answer can be
 * lost, and so a replay within the tolerance changes nothing.
 */
export async function signCall(call: Call, secret: string, now: number): Promise<string> {
  const id = await keyId(secret);
  const key = await secretKey(secret);
  const mac = await crypto.subtle.sign("HMAC", key, await signedText(call, now, id));
  return `t=${now},k=${id},v1=${toHex(mac)}`;
}

/** What a header says of a call that has not been read yet. */
export type SignatureHeader = { ok: true; at: number; id: string; hex: string; secret: string };

/** One signature has one spelling: no leading zeros, no spaces, lower-case hex, this order, each part once. */
const SPELLING = /^t=(0|[1-9]\d{0,14}),k=([0-9a-f]{16}),v1=([0-9a-f]{64})$/;

/** Before the body is read: whoever does not know how we sign has us read nothing. */
export async function readSignature(
  header: string | null,
  secrets: CallSecrets,
  now: number,
): Promise<SignatureHeader | SignatureRefused> {
  if (header === null) return refuse(`The call has no ${SIGNATURE_HEADER}.`);
  const [, t, id, hex] = SPELLING.exec(header) ?? [];
  if (t === undefined || id === undefined || hex === undefined) {
    return refuse(`The ${SIGNATURE_HEADER} is not t=<ms>,k=<key id>,v1=<hex>.`);
  }
  const at = Number(t);
  if (Math.abs(now - at) > SIGNATURE_TOLERANCE_MS) {
    return refuse("The signature is too old, or the clocks are more than a minute apart.");
  }
  const secret = await secretOf(id, secrets);
  if (secret === undefined) return refuse("The call is signed with a key that is not known here.");
  return { ok: true, at, id, hex, secret };
}

export async function verifyCall(
  call: Call,
  header: string | null,
  secrets: CallSecrets,
  now: number,
): Promise<SignatureResult> {
  const signature = await readSignature(header, secrets, now);
  return signature.ok ? judgeSignature(call, signature) : signature;
}

export async function judgeSignature(
  call: Call,
  { at, id, hex, secret }: SignatureHeader,
): Promise<SignatureResult> {
  const key = await secretKey(secret);
  // By the runtime, which compares in constant time.
  const isRight = await crypto.subtle.verify("HMAC", key, fromHex(hex), await signedText(call, at, id));
  return isRight ? { ok: true } : refuse("The signature does not fit the call.");
}

/** Names a secret without telling it. */
async function keyId(secret: string): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", await secretKey(secret), encode("tallyroom key id"));
  return toHex(mac).slice(0, 16);
}

async function secretOf(id: string, { present, old }: CallSecrets): Promise<string | undefined> {
  if (id === (await keyId(present))) return present;
  return old !== undefined && id === (await keyId(old)) ? old : undefined;
}

/** One line a part; none of them can hold a line's end but the body, which stands as its digest. */
async function signedText({ method, path, body }: Call, at: number, id: string) {
  const digest = await crypto.subtle.digest(
    "SHA-256",
    typeof body === "string" ? encode(body) : copyOf(body),
  );
  return encode(["tallyroom-v1", method.toUpperCase(), path, at, id, toHex(digest)].join("\n"));
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function toHex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function refuse(reason: string): SignatureRefused {
  return { ok: false, reason };
}
