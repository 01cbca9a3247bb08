import type { HttpRefusal } from "../edge/http-refusal";
import { refuseHttp } from "../edge/http-refusal";
import { readAddress } from "../edge/room-address";
import { readSigned } from "./signed-body";
import { type CallSecrets, SIGNATURE_HEADER } from "./signed-call";

/** A word of one of our platforms for a room of another, rather than anybody's request. */
export function isWord(request: Request): boolean {
  return request.method === "PUT" && request.headers.has(SIGNATURE_HEADER);
}

/** To be handed to the room as it came, without what it came with. */
export async function judgeWord(
  request: Request,
  secrets: CallSecrets | undefined,
  kinds: ReadonlySet<string>,
  now: number,
): Promise<{ ok: true; onward: Request } | HttpRefusal> {
  const place = readAddress(new URL(request.url), kinds);
  if (!place.ok) return refuseHttp(404, "not_found", place.reason);
  const read = await readSigned(request, secrets, now);
  if (!read.ok) return read;
  const { kind, id } = place.address;
  return {
    ok: true,
    onward: new Request(`http://room/parties/${kind}/${id}`, { method: "PUT", body: read.text }),
  };
}
