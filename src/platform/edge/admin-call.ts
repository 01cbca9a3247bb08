import { isForAllRooms } from "../../identity/room-pattern";
import { bearerToken } from "./bearer-token";
import { asHttpRefusal, deny } from "./denial";
import type { Gate } from "./gate";
import type { HttpRefusal } from "./http-refusal";
import { judgeRequestOrigin } from "./origin";
import { checkToken } from "./token-check";

/** Who runs the deployment: an admin whose token is not for some rooms only. */
export function judgeAdmin(request: Request, gate: Gate, now: number): Promise<CallerResult> {
  return judgeCaller(request, undefined, gate, now);
}

/** The same, or the person that it is about. */
export function judgeSelf(request: Request, user: string, gate: Gate, now: number): Promise<CallerResult> {
  return judgeCaller(request, user, gate, now);
}

export type CallerResult = { ok: true; user: string } | HttpRefusal;

async function judgeCaller(
  request: Request,
  self: string | undefined,
  gate: Gate,
  now: number,
): Promise<CallerResult> {
  const stranger = judgeRequestOrigin(request, gate.config);
  if (stranger) return asHttpRefusal(stranger);
  const known = await checkToken(bearerToken(request), await gate.from(request), gate, now);
  if (!known.ok) return asHttpRefusal(known.denial);
  const { user, role, rooms } = known.who;
  if (user === self) return { ok: true, user };
  if (role !== "admin" || !isForAllRooms(rooms)) {
    return asHttpRefusal(deny(self === undefined ? ONLY_ADMINS : ONLY_SELF));
  }
  return { ok: true, user };
}

const ONLY_ADMINS = "Only an admin may do that.";
const ONLY_SELF = "Only an admin may do that for somebody else.";
