import { calculateJwkThumbprint, importJWK, type JWK } from "jose";

/** A public key, and the one algorithm that it verifies: what a token's header asks for is compared, never obeyed. */
export interface PinnedKey {
  kid: string;
  alg: Algorithm;
  key: CryptoKey;
  /** RFC 7638: another key may come under the same name. */
  print: string;
}

/** Signatures of key pairs alone. With an HMAC among them, a public key could be taken for a shared secret. */
const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] as const;
export type Algorithm = (typeof algorithms)[number];

export function isPairAlgorithm(alg: unknown): alg is Algorithm {
  return algorithms.some((known) => known === alg);
}

/** Under this, a modulus can be factored (NIST SP 800-131A); in base64url characters. */
const MIN_RSA_CHARS = Math.ceil(2048 / 6);
/** More keys than any issuer has at once: what is read of a set is bounded. */
const MAX_KEYS = 100;

/** The keys of a set that are ours to use; anything else in it is no reason to refuse the others. */
export async function pinKeys(set: unknown): Promise<Map<string, PinnedKey> | undefined> {
  const keys = (set as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) return undefined;
  const pinned = new Map<string, PinnedKey>();
  for (const jwk of keys.slice(0, MAX_KEYS)) {
    const key = await pinKey(jwk);
    // Two keys of one name, and nobody could say which algorithm is that name's: the first one stands.
    if (key && !pinned.has(key.kid)) pinned.set(key.kid, key);
  }
  return pinned;
}

async function pinKey(jwk: unknown): Promise<PinnedKey | undefined> {
  if (typeof jwk !== "object" || jwk === null) return undefined;
  const { kty, use, key_ops, kid = "", d, n } = jwk as Partial<JWK>;
  // A key whose private half was published is everybody's.
  if (d !== undefined || kty === "oct") return undefined;
  if ((use !== undefined && use !== "sig") || typeof kid !== "string") return undefined;
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes("verify"))) return undefined;
  if (kty === "RSA" && !(typeof n === "string" && n.length >= MIN_RSA_CHARS)) return undefined;
  const alg = algorithmOf(jwk as JWK);
  if (!alg) return undefined;
  try {
    const key = await importJWK(jwk as JWK, alg);
    if (key instanceof Uint8Array || key.type !== "public") return undefined;
    return { kid, alg, key, print: await calculateJwkThumbprint(jwk as JWK) };
  } catch {
    // Not a key, or one that this runtime does not know.
    return undefined;
  }
}

/** What the key says of itself; where it does not, what its kind allows, and for RSA what OpenID Connect takes as given. */
function algorithmOf({ kty, crv, alg }: JWK): Algorithm | undefined {
  const possible = algorithms.filter((known) => fits(known, kty, crv));
  // RFC 9864's name for what everybody still calls EdDSA.
  const named = alg === "Ed25519" ? "EdDSA" : alg;
  return named === undefined ? possible[0] : possible.find((known) => known === named);
}

function fits(alg: Algorithm, kty: unknown, crv: unknown): boolean {
  if (kty === "RSA") return alg.startsWith("RS") || alg.startsWith("PS");
  if (kty === "EC") return (alg === "ES256" && crv === "P-256") || (alg === "ES384" && crv === "P-384");
  return kty === "OKP" && crv === "Ed25519" && alg === "EdDSA";
}
