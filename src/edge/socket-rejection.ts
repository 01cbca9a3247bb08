import { byteLength } from "../protocol/codec";
import type { CloseCode } from "../protocol/codes";
import type { Bye } from "../protocol/messages";

export interface SocketRejection {
  ok: false;
  closeCode: CloseCode;
  reason: string;
  retryAfterMs?: number;
}

/** RFC 6455, 5.5: a control frame carries 125 bytes, two of which are the code. A longer reason throws. */
const CLOSE_REASON_BYTES = 123;

/**
 * Accepts a socket, sends the reason and closes it, because a browser shows a reason only for a socket that was open. The response
 * works in a worker's `fetch` and in PartyKit's `onBeforeConnect`.
 */
export function rejectSocket(closeCode: CloseCode, reason: string, retryAfterMs?: number): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.send(formatBye(closeCode, reason, retryAfterMs));
  server.close(closeCode, truncateCloseReason(reason));
  return new Response(null, { status: 101, webSocket: client });
}

export function formatBye(code: CloseCode, reason: string, retryAfterMs?: number): string {
  const bye: Bye = { t: "bye", code, reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return JSON.stringify(bye);
}

/** Cuts a reason between characters to what a close frame can carry. */
export function truncateCloseReason(reason: string): string {
  if (byteLength(reason) <= CLOSE_REASON_BYTES) return reason;
  let truncated = "";
  let bytes = byteLength("…");
  for (const character of reason) {
    bytes += byteLength(character);
    if (bytes > CLOSE_REASON_BYTES) break;
    truncated += character;
  }
  return `${truncated}…`;
}
