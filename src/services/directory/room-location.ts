import type { Config } from "../../config/config";
import { createServiceMessage } from "../../edge/forwarded-call";
import { SIGNATURE_HEADER, signCall } from "../../edge/signed-calls/signed-call";
import { withDeadline } from "../../lib/deadline";
import type { BanNotice } from "../bans/contract";

/** A room that cannot be told in so long is asked again later; the others are not kept waiting. */
export const TELL_MS = 2_500;

/** Where a room runs: in this worker, or on PartyKit. */
export type Platform = "cloudflare" | "partykit";
/** A room and where it runs, as one text: `cloudflare:main/hall`. */
export type RoomLocation = `${Platform}:${string}/${string}`;

export function toRoomLocation(platform: Platform, room: { kind: string; id: string }): RoomLocation {
  return `${platform}:${room.kind}/${room.id}`;
}

/** `kind/id`, which is also the scope of that room's own bans. */
export function roomAt(place: RoomLocation): string {
  return place.slice(place.indexOf(":") + 1);
}

export function isRoomLocation(text: string): text is RoomLocation {
  return /^(cloudflare|partykit):[^/]+\/[^/]+$/.test(text);
}

/** Tells a room's moderation. `nowhere`: there is no such room (any more). Rejects where it could not be told. */
export async function notifyRoom(
  location: RoomLocation,
  message: BanNotice,
  rooms: DurableObjectNamespace,
  config: Config,
): Promise<"told" | "nowhere"> {
  const [platform, name = ""] = location.split(/:(.*)/s);
  const [kind = "", id = ""] = name.split("/");
  const call = createServiceMessage(kind, id, "moderation", message);
  const response =
    platform === "cloudflare"
      ? await withDeadline(rooms.getByName(name).fetch(call), TELL_MS, "The room did not answer")
      : await fetch(await signRequest(kind, id, await call.text(), config), {
          signal: AbortSignal.timeout(TELL_MS),
        });
  await response.body?.cancel();
  if (response.status === 404) return "nowhere";
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  return "told";
}

async function signRequest(kind: string, id: string, body: string, config: Config): Promise<Request> {
  const { roomsUrl, batchSecret } = config;
  if (roomsUrl === undefined || batchSecret === undefined) {
    throw new Error("ROOMS_URL and BATCH_SECRET are needed to reach rooms on PartyKit");
  }
  const url = new URL(`${roomsUrl}/parties/${kind}/${id}`);
  const signature = await signCall({ method: "PUT", path: url.pathname, body }, batchSecret, Date.now());
  return new Request(url, { method: "PUT", body, headers: { [SIGNATURE_HEADER]: signature } });
}
