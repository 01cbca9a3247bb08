const keys = new Map<string, CryptoKey>();

/**
 * Imports each secret once, because every socket needs it. The key is cached and not its promise: in the Workers runtime
 * one request cannot await a promise that another began.
 */
export async function importSecretKey(secret: string): Promise<CryptoKey> {
  const cached = keys.get(secret);
  if (cached) return cached;
  const raw = new TextEncoder().encode(secret);
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
    "verify",
  ]);
  keys.set(secret, key);
  return key;
}
