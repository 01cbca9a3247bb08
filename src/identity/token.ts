import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify, SignJWT } from "jose";
import { importSecretKey } from "../lib/secret-key";
import type { Role } from "../protocol/codes";
import { parseClaims } from "./claims";
import { type IdentityRejection, type IdentityResult, invalidToken } from "./user-identity";

/** How far an issuer's clock may run ahead of ours (`nbf`). The expiry has no tolerance. */
export const CLOCK_SKEW_MS = 60_000;

export const FOREIGN_TOKEN = "This token was not made for this server.";
const expired: IdentityRejection = { ok: false, cause: "ended", reason: "The token has expired." };

/** `lateMs`: how long ago the token may have expired, for renewal only. */
export async function verifyToken(
  token: string,
  secret: string,
  now: number,
  lateMs = 0,
): Promise<IdentityResult> {
  return verifyWithKey(token, await importSecretKey(secret), { algorithms: ["HS256"] }, now, lateMs);
}

/** The one place where a signature is verified. Each key comes with the only algorithm it is valid for. */
export async function verifyWithKey(
  token: string,
  key: CryptoKey,
  options: JWTVerifyOptions & { algorithms: [string] },
  now: number,
  lateMs = 0,
): Promise<IdentityResult> {
  if (token === "") return invalidToken("The token is empty.");
  if (!compactJwt.test(token)) return invalidToken(FOREIGN_TOKEN);
  let claims: JWTPayload;
  try {
    const verified = await jwtVerify(token, key, {
      ...options,
      currentDate: new Date(now),
      clockTolerance: Math.ceil((CLOCK_SKEW_MS + lateMs) / 1000),
    });
    claims = verified.payload;
  } catch (error) {
    return toRejection(error);
  }
  const read = parseClaims(claims);
  // jose compares whole seconds and applies the tolerance of `nbf`; the expiry is exact.
  if (read.ok && read.who.expiresAt + lateMs <= now) return expired;
  return read;
}

export interface TokenClaims {
  user: string;
  name?: string;
  role?: Role;
  rooms?: readonly string[];
  guest?: true;
  /** In whole seconds, as a token's other times. */
  opened?: number;
}

/** The token expires at the whole second at or before `expiresAt`; a JWT has no finer time. */
export async function signToken(
  claims: TokenClaims,
  secret: string,
  now: number,
  expiresAt: number,
): Promise<string> {
  const { user, ...others } = claims;
  return new SignJWT({ ...others })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(user)
    .setIssuedAt(Math.floor(now / 1000))
    .setExpirationTime(Math.floor(expiresAt / 1000))
    .sign(await importSecretKey(secret));
}

/**
 * RFC 7515, 7.1. Decoders ignore line ends, padding, and the bits of the last character that encode nothing, which would give one
 * token any number of spellings.
 */
const compactJwt = /^[\w-]+\.[\w-]+\.(?=.)(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;

/** jose's messages are for developers. The holder of the token learns only what would fix it. */
function toRejection(error: unknown): IdentityRejection {
  if (error instanceof errors.JWTExpired) return expired;
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (claim === "iss" || claim === "aud") return invalidToken(FOREIGN_TOKEN);
    if (claim === "nbf" && reason === "check_failed")
      return invalidToken("The token is not valid yet (nbf).");
    return invalidToken(`The token's ${claim} is not a time in seconds.`);
  }
  if (error instanceof errors.JOSEError) return invalidToken(FOREIGN_TOKEN);
  throw error;
}
