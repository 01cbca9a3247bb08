const keys = new Map<string, CryptoKey>();

/**
 * Imported once a secret, for every socket needs it. What is kept is the key and not the promise of it: in the workers
 * runtime a promise that one request began is not for another to await.
 */
export async function secretKey(secret: string): Promise<CryptoKey> {
  const held = keys.get(secret);
  if (held) return held;
  const raw = new TextEncoder().encode(secret);
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
    "verify",
  ]);
  keys.set(secret, key);
  return key;
}
