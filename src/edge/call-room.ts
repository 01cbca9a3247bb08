import { TimeoutError, withDeadline } from "../lib/deadline";
import { closeCodes } from "../protocol/codes";
import { rejectForNow, rejectSocketWith, toHttpRejection } from "./edge-rejection";
import { rejectionResponse } from "./http/http-rejection";

/** Restoring a room with a large state takes a second or two. One that takes this long is stuck. */
const DEADLINE_MS = 10_000;
const RETRY_MS = 5_000;
const TIMEOUT = "The room did not answer in time.";
/** Sending an action again is safe because of its id; the other requests are harmless to repeat. */
const CALL_TIMEOUT = `${TIMEOUT} The request may still have been carried out. Send it again unchanged.`;

/** A room's object, as the worker calls it. */
export interface RoomStub {
  fetch(request: Request): Promise<Response>;
}

/** Sends an admitted request to its room, and stops waiting for a room that is stuck. */
export async function callRoom(
  room: RoomStub,
  forwarded: Request,
  isSocket: boolean,
  deadlineMs = DEADLINE_MS,
): Promise<Response> {
  const ending = new AbortController();
  const response = room.fetch(new Request(forwarded, { signal: ending.signal }));
  try {
    return await withDeadline(() => response, deadlineMs, "The room did not answer");
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    console.error(`${forwarded.method} ${new URL(forwarded.url).pathname} timed out:`, error.message);
    ending.abort();
    response.then(closeLateSocket, () => undefined);
    return isSocket
      ? rejectSocketWith(rejectForNow(TIMEOUT, RETRY_MS))
      : rejectionResponse(toHttpRejection(rejectForNow(CALL_TIMEOUT, RETRY_MS)));
  }
}

/** Its client has already been told to reconnect. */
function closeLateSocket({ webSocket }: Response): void {
  webSocket?.accept();
  webSocket?.close(closeCodes.draining, "The handshake timed out.");
}
