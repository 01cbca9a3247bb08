import { base64url } from "jose";
import { secretKey } from "./secret-key";

/** 96 bits in 16 characters: nobody guesses one, no two meet, and an event that carries one stays short. */
const ID_BYTES = 12;

export function randomId(): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(ID_BYTES)));
}

/** The same text gives the same id, and the id does not give the text away. */
export async function digestId(text: string): Promise<string> {
  return shorten(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** As `digestId`, and nobody without the secret can tell which text gives which id. */
export async function keyedId(text: string, secret: string): Promise<string> {
  return shorten(await crypto.subtle.sign("HMAC", await secretKey(secret), new TextEncoder().encode(text)));
}

function shorten(digest: ArrayBuffer): string {
  return base64url.encode(new Uint8Array(digest, 0, ID_BYTES));
}
