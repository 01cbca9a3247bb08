import type { BanWord } from "../../features/moderation/outside";
import { SIGNATURE_HEADER, signCall } from "../calls/signed-call";
import type { Config } from "../config";
import { sendWord } from "../edge/forwarded-call";
import { within } from "../within";

/** A room that cannot be told in so long is asked again later; the others are not kept waiting. */
export const TELL_MS = 2_500;

/** Where a room runs: in this worker, or on PartyKit. */
export type Where = "cloudflare" | "partykit";
/** A room and where it runs, as one text: `cloudflare:main/hall`. */
export type Place = `${Where}:${string}/${string}`;

export function placeOf(where: Where, room: { kind: string; id: string }): Place {
  return `${where}:${room.kind}/${room.id}`;
}

/** `kind/id`, which is also the scope of that room's own bans. */
export function roomOf(place: Place): string {
  return place.slice(place.indexOf(":") + 1);
}

export function isPlace(text: string): text is Place {
  return /^(cloudflare|partykit):[^/]+\/[^/]+$/.test(text);
}

/** Tells a room's moderation. `nowhere`: there is no such room (any more). Rejects where it could not be told. */
export async function tellRoom(
  place: Place,
  word: BanWord,
  rooms: DurableObjectNamespace,
  config: Config,
): Promise<"told" | "nowhere"> {
  const [where, name = ""] = place.split(/:(.*)/s);
  const [kind = "", id = ""] = name.split("/");
  const call = sendWord(kind, id, "moderation", word);
  const response =
    where === "cloudflare"
      ? await within(rooms.getByName(name).fetch(call), TELL_MS, "The room did not answer")
      : await fetch(await signed(kind, id, await call.text(), config), {
          signal: AbortSignal.timeout(TELL_MS),
        });
  await response.body?.cancel();
  if (response.status === 404) return "nowhere";
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  return "told";
}

async function signed(kind: string, id: string, body: string, config: Config): Promise<Request> {
  const { roomsUrl, batchSecret } = config;
  if (roomsUrl === undefined || batchSecret === undefined) {
    throw new Error("ROOMS_URL and BATCH_SECRET are needed to reach rooms on PartyKit");
  }
  const url = new URL(`${roomsUrl}/parties/${kind}/${id}`);
  const signature = await signCall({ method: "PUT", path: url.pathname, body }, batchSecret, Date.now());
  return new Request(url, { method: "PUT", body, headers: { [SIGNATURE_HEADER]: signature } });
}
