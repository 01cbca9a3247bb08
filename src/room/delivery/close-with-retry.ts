import { closeCodes } from "../../protocol/codes";
import type { Bye } from "../../protocol/messages";
import type { Peer } from "../ports";

/** Tells a socket that no room has, or has yet, to come back. It may be closing already: no reason for a room to fail. */
export function closeWithRetry(
  peer: Pick<Peer, "send" | "close">,
  reason: string,
  retryAfterMs: number,
): void {
  const code = closeCodes.draining;
  try {
    peer.send(JSON.stringify({ t: "bye", code, reason, retryAfterMs } satisfies Bye));
    peer.close(code, reason);
  } catch {
    // From the other side, while it waited to be let in.
  }
}
