import type * as Party from "partykit/server";
import { callRoom, type RoomStub } from "../edge/call-room";
import { rejectHttp, rejectionResponse } from "../edge/http/http-rejection";
import { INTERNAL } from "../edge/messages";
import { rejectSocket } from "../edge/socket-rejection";
import { closeCodes } from "../protocol/codes";

const FAILED_RETRY_MS = 2_000;

/**
 * Sends an admitted request to a room of a party. PartyKit would forward a request that its hooks return, but would wait for a
 * stuck room without an end. It would also answer a hook that throws with the text of the error, so this never throws.
 */
export async function callPartyRoom(
  { id, parties }: Pick<Party.Lobby, "id" | "parties">,
  kind: string,
  admitted: Request,
  isSocket: boolean,
): Promise<Response> {
  try {
    return await callRoom(roomStubOf(parties, kind, id), admitted, isSocket);
  } catch (error) {
    console.error(`${admitted.method} ${new URL(admitted.url).pathname} failed:`, error);
    if (isSocket) return rejectSocket(closeCodes.draining, INTERNAL, FAILED_RETRY_MS);
    return rejectionResponse(rejectHttp(500, "internal", INTERNAL));
  }
}

/** PartyKit makes the URL of the room's request from a path. The query has the id of a socket's connection. */
function roomStubOf(parties: Party.Lobby["parties"], kind: string, id: string): RoomStub {
  const party = parties[kind];
  if (!party) throw new Error(`partykit.json has no party "${kind}".`);
  return {
    fetch({ url, method, headers, body, signal }) {
      return party.get(id).fetch(`/${new URL(url).search}`, { method, headers, body, signal });
    },
  };
}
