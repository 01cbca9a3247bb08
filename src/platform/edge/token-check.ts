import type { Who } from "../../identity/who";
import { type Denial, denyForNow, denyToken } from "./denial";
import type { Gate } from "./gate";
import { NO_SECRET, NO_SECRET_RETRY_MS } from "./identity-refusals";

export type Known = { ok: true; who: Who } | { ok: false; denial: Denial };

const NO_TOKEN = "This needs a token: Authorization: Bearer <token>.";

/** Who brought this token, or none. `from`: an address that has brought too many bad ones is not listened to. */
export async function checkToken(
  token: string | undefined,
  from: string | undefined,
  gate: Gate,
  now: number,
): Promise<Known> {
  const refused = noTrust(gate) ?? (token === undefined ? denyToken(NO_TOKEN) : undefined);
  if (refused || token === undefined) return { ok: false, denial: refused ?? denyToken(NO_TOKEN) };
  // Who is known to be good is not guessing, whoever else does at the same address.
  if (!(await gate.verifier.knows(token, now))) {
    const denial = await gate.desk.take(from, [], ["failedToken"]);
    if (denial) return { ok: false, denial };
  }
  return readToken(token, from, gate, now);
}

/** The same, where the address has been asked about already. */
export async function readToken(
  token: string,
  from: string | undefined,
  gate: Gate,
  now: number,
): Promise<Known> {
  const read = await gate.verifier.verify(token, now);
  if (read.ok) return read;
  if (read.cause === "unavailable") return { ok: false, denial: denyForNow(read.reason, read.retryAfterMs) };
  if (read.cause === "bad") await gate.desk.take(from, [{ rule: "failedToken" }]);
  return { ok: false, denial: denyToken(read.reason) };
}

/** Nobody can be told from anybody else. */
export function noTrust({ config }: Gate): Denial | undefined {
  const isTrusting = config.authSecret !== undefined || config.jwks !== undefined;
  return isTrusting ? undefined : denyForNow(NO_SECRET, NO_SECRET_RETRY_MS);
}
