import type { Config } from "../../config/config";
import { createServiceMessage } from "../../edge/signed-calls/service-message";
import { SIGNATURE_HEADER, signCall } from "../../edge/signed-calls/signed-call";
import { withDeadline } from "../../lib/deadline";
import type { RoomLocation, ServiceNotice } from "./contract";

/** How long a room may take to answer. A room that takes longer is notified again later. */
export const NOTIFY_DEADLINE_MS = 2_500;

export function isRoomLocation(text: string): text is RoomLocation {
  return /^(cloudflare|partykit):[^/]+\/[^/]+$/.test(text);
}

/** Sends a notice to a room. `missing`: the room does not exist (any more). Rejects if the room could not be reached. */
export async function notifyRoom(
  location: RoomLocation,
  { feature, message }: ServiceNotice,
  rooms: DurableObjectNamespace,
  config: Config,
): Promise<"notified" | "missing"> {
  const [platform, name = ""] = location.split(/:(.*)/s);
  const [kind = "", id = ""] = name.split("/");
  const call = createServiceMessage(kind, id, feature, message);
  const response =
    platform === "cloudflare"
      ? await withDeadline(
          () => rooms.getByName(name).fetch(call),
          NOTIFY_DEADLINE_MS,
          "The room did not answer",
        )
      : await fetch(await signRequest(kind, id, await call.text(), config), {
          signal: AbortSignal.timeout(NOTIFY_DEADLINE_MS),
        });
  await response.body?.cancel();
  if (response.status === 404) return "missing";
  if (!response.ok) throw new Error(`The room answered ${response.status}.`);
  return "notified";
}

async function signRequest(kind: string, id: string, body: string, config: Config): Promise<Request> {
  const { roomsUrl, batchSecret } = config;
  if (roomsUrl === undefined || batchSecret === undefined) {
    throw new Error("ROOMS_URL and BATCH_SECRET are needed to reach rooms on PartyKit.");
  }
  const url = new URL(`${roomsUrl}/parties/${kind}/${id}`);
  const signature = await signCall({ method: "PUT", path: url.pathname, body }, batchSecret, Date.now());
  return new Request(url, { method: "PUT", body, headers: { [SIGNATURE_HEADER]: signature } });
}
