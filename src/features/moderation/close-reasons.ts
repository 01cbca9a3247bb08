import { closeCodes } from "../../protocol/codes";
import type { Close } from "../../room/api/feature";

/** What the kicked are told. The code is final: a client does not try again by itself, a person may. */
export function kickedClose(forMs: number): Close {
  const reason = `You were removed from this room. You may come back in ${Math.ceil(forMs / 1000)} s.`;
  return { closeCode: closeCodes.notAllowed, reason };
}
