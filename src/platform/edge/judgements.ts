import { matchesRoom } from "../../identity/room-pattern";
import type { Who } from "../../identity/who";
import { type Denial, deny, denyToken } from "./denial";
import type { Gate } from "./gate";
import { GUESTS_ARE_OFF, NOT_THIS_ROOM } from "./identity-refusals";

/** Somebody who is known, about to go into a room: by a socket, or by a request in its name. */
export interface Visit {
  who: Who;
  kind: string;
  id: string;
  /** The keyed hash of the address, where the platform tells one. */
  from?: string;
  now: number;
}

/** `undefined`: nothing against it. A judgement of the outside world has a deadline of its own. */
export type Judgement = (visit: Visit, gate: Gate) => Denial | undefined | Promise<Denial | undefined>;

/** In this order; the first that denies is the answer. Each holds for sockets and requests alike. */
const judgements: readonly Judgement[] = [guestsAreOn, tokenIsForRoom];

export async function judgeVisit(visit: Visit, gate: Gate): Promise<Denial | undefined> {
  for (const judgement of judgements) {
    const denial = await judgement(visit, gate);
    if (denial) return denial;
  }
  return undefined;
}

function guestsAreOn({ who }: Visit, { config }: Gate): Denial | undefined {
  return who.guest && !config.guests ? denyToken(GUESTS_ARE_OFF) : undefined;
}

function tokenIsForRoom({ who, kind, id }: Visit): Denial | undefined {
  return who.rooms && !matchesRoom(who.rooms, kind, id) ? deny(NOT_THIS_ROOM) : undefined;
}
