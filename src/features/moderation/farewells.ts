import { closeCodes } from "../../protocol/codes";
import type { Farewell } from "../../room/feature";

/** What the kicked are told. The code is final: a client does not try again by itself, a person may. */
export function notYet(forMs: number): Farewell {
  const reason = `You were removed from this room. You may come back in ${Math.ceil(forMs / 1000)} s.`;
  return { code: closeCodes.notAllowed, reason };
}

export function farewellOf(
  scope: "room" | "everywhere",
  { reason }: { reason?: string | undefined },
): Farewell {
  const from = scope === "room" ? "You are banned from this room" : "You are banned";
  return { code: closeCodes.notAllowed, reason: reason === undefined ? `${from}.` : `${from}: ${reason}` };
}
