import { encodeBase64url } from "./base64url";
import { importSecretKey } from "./secret-key";

/** 96 bits in 16 characters: unguessable, without collisions, and short enough for an event. */
const ID_BYTES = 12;

export function randomId(): string {
  return encodeBase64url(crypto.getRandomValues(new Uint8Array(ID_BYTES)));
}

/** A digest: the same text gives the same id, and the id does not reveal the text. */
export async function digestId(text: string): Promise<string> {
  return toShortId(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** Like `digestId`, but only a holder of the secret can compute the id of a text. */
export async function keyedId(text: string, secret: string): Promise<string> {
  return toShortId(
    await crypto.subtle.sign("HMAC", await importSecretKey(secret), new TextEncoder().encode(text)),
  );
}

function toShortId(digest: ArrayBuffer): string {
  return encodeBase64url(new Uint8Array(digest, 0, ID_BYTES));
}
