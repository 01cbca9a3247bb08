import { refusalResponse } from "../platform/edge/http-refusal";
import { refuseSocket } from "../platform/edge/refusal";
import { TooLate, within } from "../platform/within";
import { closeCodes } from "../protocol/codes";

/** Longer than a room takes to be restored, and shorter than anybody waits. */
const DEADLINE_MS = 10_000;
const RETRY_MS = 5_000;
const TOO_LATE = "The room did not answer in time.";

/** Passes a request on to a room, with a deadline. */
export async function askRoom(
  room: Pick<Fetcher, "fetch">,
  request: Request,
  deadlineMs = DEADLINE_MS,
): Promise<Response> {
  const answer = room.fetch(request);
  try {
    return await within(answer, deadlineMs, TOO_LATE);
  } catch (error) {
    if (!(error instanceof TooLate)) throw error;
    console.error(`${request.method} ${request.url}: the room did not answer within ${deadlineMs} ms.`);
    void letGo(answer);
    if (request.headers.has("Upgrade")) return refuseSocket(closeCodes.draining, TOO_LATE, RETRY_MS);
    const message = `${TOO_LATE} What was asked may have been done: ask again with the same id.`;
    const body = { code: "unavailable" as const, message, retryAfterMs: RETRY_MS };
    return refusalResponse({ ok: false, status: 503, body });
  }
}

/** Closes a socket that comes after the deadline, so that the room does not hold it open. */
async function letGo(answer: Promise<Response>): Promise<void> {
  try {
    const { webSocket, body } = await answer;
    webSocket?.accept();
    webSocket?.close(1001, TOO_LATE);
    await body?.cancel();
  } catch {
    // The room failed after all.
  }
}
