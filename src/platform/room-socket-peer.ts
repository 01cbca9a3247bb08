import type { Peer, SocketNote } from "../room/ports";
import { closeReason } from "./edge/refusal";

/** A connection as partyserver and PartyKit give it. */
export interface PlatformConnection {
  readonly id: string;
  readonly state: unknown;
  send(text: string): void;
  close(code: number, reason: string): void;
  setState(state: unknown): unknown;
}

export function peerOf(connection: PlatformConnection, pingedAt?: () => number | undefined): Peer {
  return {
    id: connection.id,
    send: (text) => connection.send(text),
    close: (code, reason) => connection.close(code, closeReason(reason)),
    keep: (note) => {
      connection.setState(note);
    },
    ...(pingedAt ? { pingedAt } : {}),
  };
}

/** What the connection has kept of itself, if it ever was welcome. */
export function noteOf(connection: PlatformConnection): SocketNote | undefined {
  return (connection.state as SocketNote | null) ?? undefined;
}
