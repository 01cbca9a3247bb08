import { matchesRoom } from "../identity/room-pattern";
import type { UserIdentity } from "../identity/user-identity";
import type { EdgeContext } from "./edge-context";
import { type EdgeRejection, rejectAccess, rejectToken } from "./edge-rejection";
import { GUESTS_ARE_OFF, TOKEN_NOT_FOR_ROOM } from "./messages";

/** Somebody who is known, about to go into a room: by a socket, or by a request in its name. */
export interface AdmissionRequest {
  who: UserIdentity;
  kind: string;
  id: string;
  /** The keyed hash of the address, where the platform tells one. */
  ipHash?: string;
  now: number;
}

/** `undefined`: nothing against it. A judgement of the outside world has a deadline of its own. */
export type AdmissionCheck = (
  request: AdmissionRequest,
  gate: EdgeContext,
) => EdgeRejection | undefined | Promise<EdgeRejection | undefined>;

/** In this order; the first that denies is the answer. Each holds for sockets and requests alike. */
const admissionChecks: readonly AdmissionCheck[] = [checkGuestsAllowed, checkTokenRooms];

export async function checkAdmission(
  request: AdmissionRequest,
  context: EdgeContext,
): Promise<EdgeRejection | undefined> {
  for (const check of admissionChecks) {
    const rejection = await check(request, context);
    if (rejection) return rejection;
  }
  return undefined;
}

function checkGuestsAllowed({ who }: AdmissionRequest, { config }: EdgeContext): EdgeRejection | undefined {
  return who.guest && !config.guests ? rejectToken(GUESTS_ARE_OFF) : undefined;
}

function checkTokenRooms({ who, kind, id }: AdmissionRequest): EdgeRejection | undefined {
  return who.rooms && !matchesRoom(who.rooms, kind, id) ? rejectAccess(TOKEN_NOT_FOR_ROOM) : undefined;
}
