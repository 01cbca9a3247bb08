import { truncateCloseReason } from "../edge/socket-rejection";
import type { Peer, SocketNote } from "../room/ports";

/** A connection as partyserver and PartyKit give it. */
export interface PlatformConnection {
  readonly id: string;
  readonly state: unknown;
  send(text: string): void;
  close(code: number, reason: string): void;
  setState(state: unknown): unknown;
}

/** A class, so that a frame to a thousand sockets goes through no thousand closures. */
export class SocketPeer implements Peer {
  readonly id: string;
  /** Looked up once: each socket has properties of its own that an engine would look through for every text. */
  readonly #send: PlatformConnection["send"];

  constructor(
    private readonly connection: PlatformConnection,
    /** Where the platform answers pings by itself: when it last did. */
    readonly pingedAt: () => number | undefined = neverPinged,
  ) {
    this.id = connection.id;
    this.#send = connection.send;
  }

  send(text: string): void {
    this.#send.call(this.connection, text);
  }

  close(code: number, reason: string): void {
    this.connection.close(code, truncateCloseReason(reason));
  }

  saveNote(note: SocketNote): void {
    this.connection.setState(note);
  }
}

/** What the connection has kept of itself, if it ever was welcome. */
export function readNote(connection: PlatformConnection): SocketNote | undefined {
  return (connection.state as SocketNote | null) ?? undefined;
}

const neverPinged = () => undefined;
