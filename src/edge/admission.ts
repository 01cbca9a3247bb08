import { matchesRoom } from "../identity/room-pattern";
import type { UserIdentity } from "../identity/user-identity";
import type { EdgeContext } from "./edge-context";
import { type EdgeRejection, rejectAccess, rejectToken } from "./edge-rejection";
import { GUESTS_ARE_OFF, TOKEN_NOT_FOR_ROOM } from "./messages";

/** An identified user who wants to join a room, or to act in it by HTTP. */
export interface AdmissionRequest {
  who: UserIdentity;
  kind: string;
  id: string;
  /** The keyed hash of the client's address, if the platform knows it. */
  ipHash?: string;
  now: number;
}

/** Returns the rejection, or `undefined` if the request passes. A check that calls another service has its own deadline. */
export type AdmissionCheck = (
  request: AdmissionRequest,
  context: EdgeContext,
) => EdgeRejection | undefined | Promise<EdgeRejection | undefined>;

/** Applied in this order, to sockets and HTTP requests alike. The first rejection is the answer. */
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
