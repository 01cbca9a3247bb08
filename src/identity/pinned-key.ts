import { calculateJwkThumbprint, importJWK, type JWK } from "jose";

/** A public key with the one algorithm it may verify. The algorithm in a token's header is compared with it, never obeyed. */
export interface PinnedKey {
  kid: string;
  alg: Algorithm;
  key: CryptoKey;
  /** RFC 7638 thumbprint: a different key may appear under the same key id. */
  thumbprint: string;
}

/** Only asymmetric algorithms. With an HMAC among them, a public key could be used as a shared secret. */
const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] as const;
export type Algorithm = (typeof algorithms)[number];

export function isPairAlgorithm(alg: unknown): alg is Algorithm {
  return algorithms.some((known) => known === alg);
}

/** A shorter modulus can be factored (NIST SP 800-131A). In base64url characters. */
const MIN_RSA_CHARS = Math.ceil(2048 / 6);
/** More keys than any issuer has at once. Bounds what is read of a set. */
const MAX_KEYS = 100;

/** The usable keys of a set. Anything else in it is ignored. */
export async function pinKeys(set: unknown): Promise<Map<string, PinnedKey> | undefined> {
  const keys = (set as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) return undefined;
  const pinned = new Map<string, PinnedKey>();
  for (const jwk of keys.slice(0, MAX_KEYS)) {
    const key = await pinKey(jwk);
    // If two keys have one id, the first one counts; otherwise the id's algorithm would be ambiguous.
    if (key && !pinned.has(key.kid)) pinned.set(key.kid, key);
  }
  return pinned;
}

async function pinKey(jwk: unknown): Promise<PinnedKey | undefined> {
  if (typeof jwk !== "object" || jwk === null) return undefined;
  const { kty, use, key_ops, kid = "", d, n } = jwk as Partial<JWK>;
  // A key whose private half was published is worthless.
  if (d !== undefined || kty === "oct") return undefined;
  if ((use !== undefined && use !== "sig") || typeof kid !== "string") return undefined;
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes("verify"))) return undefined;
  if (kty === "RSA" && !(typeof n === "string" && n.length >= MIN_RSA_CHARS)) return undefined;
  const alg = algorithmOf(jwk as JWK);
  if (!alg) return undefined;
  try {
    const key = await importJWK(jwk as JWK, alg);
    if (key instanceof Uint8Array || key.type !== "public") return undefined;
    return { kid, alg, key, thumbprint: await calculateJwkThumbprint(jwk as JWK) };
  } catch {
    // Not a key, or one that this runtime does not support.
    return undefined;
  }
}

/** The algorithm that the key names; otherwise the one its type allows, for RSA the default of OpenID Connect. */
function algorithmOf({ kty, crv, alg }: JWK): Algorithm | undefined {
  const possible = algorithms.filter((known) => isCompatible(known, kty, crv));
  // RFC 9864 renamed EdDSA.
  const named = alg === "Ed25519" ? "EdDSA" : alg;
  return named === undefined ? possible[0] : possible.find((known) => known === named);
}

function isCompatible(alg: Algorithm, kty: unknown, crv: unknown): boolean {
  if (kty === "RSA") return alg.startsWith("RS") || alg.startsWith("PS");
  if (kty === "EC") return (alg === "ES256" && crv === "P-256") || (alg === "ES384" && crv === "P-384");
  return kty === "OKP" && crv === "Ed25519" && alg === "EdDSA";
}
