import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify, SignJWT } from "jose";
import type { Role } from "../protocol/codes";
import { readClaims } from "./claims";
import { secretKey } from "./secret-key";
import { badToken, type WhoRefused, type WhoResult } from "./who";

/** An issuer's clock may run ahead of ours by this much (`nbf`). A token's end allows nothing: it is ours to keep. */
export const CLOCK_SKEW_MS = 60_000;

export const NOT_OURS = "This token was not made for this server.";
const ended: WhoRefused = { ok: false, cause: "ended", reason: "The token has ended." };

/** `lateMs`: for renewing only, how long ago the token may have ended. */
export async function verifyToken(
  token: string,
  secret: string,
  now: number,
  lateMs = 0,
): Promise<WhoResult> {
  return verifyWith(token, await secretKey(secret), { algorithms: ["HS256"] }, now, lateMs);
}

/** The one place where a signature is looked at: the key comes with the only algorithm that it is good for. */
export async function verifyWith(
  token: string,
  key: CryptoKey,
  options: JWTVerifyOptions & { algorithms: [string] },
  now: number,
  lateMs = 0,
): Promise<WhoResult> {
  if (token === "") return badToken("The token is empty.");
  if (!compact.test(token)) return badToken(NOT_OURS);
  let claims: JWTPayload;
  try {
    const verified = await jwtVerify(token, key, {
      ...options,
      currentDate: new Date(now),
      clockTolerance: Math.ceil((CLOCK_SKEW_MS + lateMs) / 1000),
    });
    claims = verified.payload;
  } catch (error) {
    return refusalFor(error);
  }
  const read = readClaims(claims);
  // jose counts whole seconds, and with the tolerance that `nbf` is given; the end is exact.
  if (read.ok && read.who.expiresAt + lateMs <= now) return ended;
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

/** Ends at the whole second at or before `expiresAt`: a token knows no finer time. */
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
    .sign(await secretKey(secret));
}

/** RFC 7515, 7.1. Decoders pass over line ends and padding: one token would have any number of spellings. */
const compact = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** What jose says of a token is for developers; the person who brought it is told no more than what would mend it. */
function refusalFor(error: unknown): WhoRefused {
  if (error instanceof errors.JWTExpired) return ended;
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (claim === "iss" || claim === "aud") return badToken(NOT_OURS);
    if (claim === "nbf" && reason === "check_failed") return badToken("The token is not good yet.");
    return badToken(`The token's ${claim} is not a time in seconds.`);
  }
  if (error instanceof errors.JOSEError) return badToken(NOT_OURS);
  throw error;
}
