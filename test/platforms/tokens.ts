import { type JWTPayload, SignJWT } from "jose";

/** Of this suite's servers and of nothing else. */
export const AUTH_SECRET = "a secret of the black-box suite: 32 bytes and more";

export interface Claims {
  sub?: string;
  name?: string;
  role?: string;
  rooms?: string[];
}

export interface Signing {
  secret?: string;
  alg?: string;
  /** Seconds from now; `null` leaves `exp` out. */
  expiresIn?: number | null;
}

export async function mintToken(
  claims: Claims,
  { secret = AUTH_SECRET, alg = "HS256", expiresIn = 3600 }: Signing = {},
) {
  const jwt = new SignJWT(claims as JWTPayload).setProtectedHeader({ alg, typ: "JWT" }).setIssuedAt();
  if (expiresIn !== null) {
    jwt.setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn);
  }
  return jwt.sign(new TextEncoder().encode(secret));
}

/** What jose refuses to make, as an attacker would make it. */
export function mintUnsignedToken(claims: Claims): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${encode({ alg: "none", typ: "JWT" })}.${encode({ ...claims, exp: Math.floor(Date.now() / 1000) + 3600 })}.`;
}
