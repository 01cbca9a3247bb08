import { isForAllRooms } from "../identity/room-pattern";
import { readBearerToken } from "./bearer-token";
import type { EdgeContext } from "./edge-context";
import { rejectAccess, toHttpRejection } from "./edge-rejection";
import type { CallerResult } from "./http/admin-route";
import { checkRequestOrigin } from "./origin";
import { checkToken } from "./token-check";

/** Authorizes an admin of the deployment: one whose token is not limited to some rooms. */
export function authorizeAdmin(request: Request, context: EdgeContext, now: number): Promise<CallerResult> {
  return authorizeCaller(request, undefined, context, now);
}

/** Authorizes this user, or an admin of the deployment. */
export function authorizeSelf(
  request: Request,
  user: string,
  context: EdgeContext,
  now: number,
): Promise<CallerResult> {
  return authorizeCaller(request, user, context, now);
}

async function authorizeCaller(
  request: Request,
  self: string | undefined,
  context: EdgeContext,
  now: number,
): Promise<CallerResult> {
  const rejected = checkRequestOrigin(request, context.config);
  if (rejected) return toHttpRejection(rejected);
  const identity = await checkToken(readBearerToken(request), await context.ipHashOf(request), context, now);
  if (!identity.ok) return toHttpRejection(identity.rejection);
  const { user, role, rooms } = identity.who;
  if (user === self) return { ok: true, user };
  if (role !== "admin" || !isForAllRooms(rooms)) {
    return toHttpRejection(rejectAccess(self === undefined ? ONLY_ADMINS : ONLY_SELF));
  }
  return { ok: true, user };
}

const ONLY_ADMINS = "Only an admin may do that.";
const ONLY_SELF = "Only an admin may do that for another user.";
