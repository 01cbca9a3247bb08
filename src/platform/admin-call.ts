import { bearerToken } from "./bearer-token";
import { asHttpRefusal, deny } from "./denial";
import type { Gate } from "./gate";
import type { HttpRefusal } from "./http-refusal";
import { judgeRequestOrigin } from "./origin";
import { checkToken } from "./token-check";

/** Who runs the deployment: an admin whose token is not for some rooms only. */
export async function judgeAdmin(
  request: Request,
  gate: Gate,
  now: number,
): Promise<{ ok: true; user: string } | HttpRefusal> {
  const stranger = judgeRequestOrigin(request, gate.config);
  if (stranger) return asHttpRefusal(stranger);
  const known = await checkToken(bearerToken(request), await gate.from(request), gate, now);
  if (!known.ok) return asHttpRefusal(known.denial);
  const { user, role, rooms } = known.who;
  if (role !== "admin" || (rooms && !rooms.some((pattern) => /^\*+\/\*+$/.test(pattern)))) {
    return asHttpRefusal(deny("Only an admin may do that."));
  }
  return { ok: true, user };
}
