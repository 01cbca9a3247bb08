import type { UserIdentity } from "../identity/user-identity";
import type { EdgeContext } from "./edge-context";
import { type EdgeRejection, rejectForNow, rejectToken } from "./edge-rejection";
import { NO_SECRET, NO_SECRET_RETRY_MS } from "./messages";

export type TokenResult = { ok: true; who: UserIdentity } | { ok: false; rejection: EdgeRejection };

const NO_TOKEN = "This needs a token: Authorization: Bearer <token>.";

/** Identifies the user of a token. An address that sent too many invalid tokens is rejected. */
export async function checkToken(
  token: string | undefined,
  ipHash: string | undefined,
  context: EdgeContext,
  now: number,
): Promise<TokenResult> {
  const rejected = checkSigningKeys(context) ?? (token === undefined ? rejectToken(NO_TOKEN) : undefined);
  if (rejected || token === undefined) return { ok: false, rejection: rejected ?? rejectToken(NO_TOKEN) };
  // A token that was verified before is no guess, even if another client at this address is guessing.
  if (!(await context.verifier.hasVerified(token, now))) {
    const rejection = await context.ipLimiter.consume(ipHash, [], ["failedToken"]);
    if (rejection) return { ok: false, rejection };
  }
  return verifyBearerToken(token, ipHash, context, now);
}

/** The same, after the limits of the address were checked. */
export async function verifyBearerToken(
  token: string,
  ipHash: string | undefined,
  context: EdgeContext,
  now: number,
): Promise<TokenResult> {
  const verified = await context.verifier.verify(token, now);
  if (verified.ok) return verified;
  if (verified.cause === "unavailable")
    return { ok: false, rejection: rejectForNow(verified.reason, verified.retryAfterMs) };
  if (verified.cause === "bad") await context.ipLimiter.consume(ipHash, [{ rule: "failedToken" }]);
  return { ok: false, rejection: rejectToken(verified.reason) };
}

/** Rejects if there is no key to verify a token with. */
export function checkSigningKeys({ config }: EdgeContext): EdgeRejection | undefined {
  const hasKeys = config.authSecret !== undefined || config.jwks !== undefined;
  return hasKeys ? undefined : rejectForNow(NO_SECRET, NO_SECRET_RETRY_MS);
}
