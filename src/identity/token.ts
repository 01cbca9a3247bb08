import { errors, type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { Role } from "../protocol/codes";
import { readClaims } from "./claims";
import { secretKey } from "./secret-key";
import type { WhoResult } from "./who";

/** An issuer's clock may run ahead of ours by this much (`nbf`). A token's end allows nothing: it is ours to keep. */
const CLOCK_SKEW_MS = 60_000;

const notOurs = "This token was not made for this server.";
const ended = "The token has ended.";

/** `lateMs`: for renewing only, how long ago the token may have ended. */
export async function verifyToken(
  token: string,
  secret: string,
  now: number,
  lateMs = 0,
): Promise<WhoResult> {
  if (token === "") return refuse("The token is empty.");
  let claims: JWTPayload;
  try {
    const verified = await jwtVerify(token, await secretKey(secret), {
      algorithms: ["HS256"],
      currentDate: new Date(now),
      clockTolerance: Math.ceil((CLOCK_SKEW_MS + lateMs) / 1000),
    });
    claims = verified.payload;
  } catch (error) {
    return refuse(reasonFor(error));
  }
  const read = readClaims(claims);
  // jose counts whole seconds, and with the tolerance that `nbf` is given; the end is exact.
  if (read.ok && read.who.expiresAt + lateMs <= now) return refuse(ended);
  return read;
}

export interface TokenClaims {
  user: string;
  name?: string;
  role?: Role;
  rooms?: readonly string[];
  guest?: true;
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

/** What jose says of a token is for developers; the person who brought it is told no more than what would mend it. */
function reasonFor(error: unknown): string {
  if (error instanceof errors.JWTExpired) return ended;
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "nbf" && error.reason === "check_failed") return "The token is not good yet.";
    return `The token's ${error.claim} is not a time in seconds.`;
  }
  if (error instanceof errors.JOSEError) return notOurs;
  throw error;
}

function refuse(reason: string): WhoResult {
  return { ok: false, reason };
}
