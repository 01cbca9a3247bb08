import { TimeoutError, withDeadline } from "../lib/deadline";
import { closeCodes } from "../protocol/codes";
import { rejectForNow, rejectSocketWith, toHttpRejection } from "./edge-rejection";
import { rejectionResponse } from "./http/http-rejection";

/** A room that has to come to life from a large state takes a second or two; one that takes this long is stuck. */
const DEADLINE_MS = 10_000;
const RETRY_MS = 5_000;
const TIMEOUT = "The room gave no answer in time.";
/** Only an action has an id; for the others asking again is harmless. */
const CALL_TIMEOUT = `${TIMEOUT} What was asked may have been done all the same: send it again as it was.`;

/** Where a room is asked from outside of its own object. */
export interface RoomStub {
  fetch(request: Request): Promise<Response>;
}

/** What a room answers to what the edge let on, within a deadline: nobody waits for a room that is stuck. */
export async function callRoom(
  room: RoomStub,
  forwarded: Request,
  isSocket: boolean,
  deadlineMs = DEADLINE_MS,
): Promise<Response> {
  const ending = new AbortController();
  const asked = room.fetch(new Request(forwarded, { signal: ending.signal }));
  try {
    return await withDeadline(asked, deadlineMs, "The room gave no answer");
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    console.error(`${forwarded.method} ${new URL(forwarded.url).pathname} was given up:`, error.message);
    ending.abort();
    asked.then(closeLateSocket, () => undefined);
    return isSocket
      ? rejectSocketWith(rejectForNow(TIMEOUT, RETRY_MS))
      : rejectionResponse(toHttpRejection(rejectForNow(CALL_TIMEOUT, RETRY_MS)));
  }
}

/** Whoever it was for has been told to come back. */
function closeLateSocket({ webSocket }: Response): void {
  webSocket?.accept();
  webSocket?.close(closeCodes.draining, "Nobody waited for this any more.");
}
