import { truncateCloseReason } from "../edge/socket-rejection";
import type { Peer, SocketNote } from "../room/ports";

/** A connection of partyserver or PartyKit. */
export interface PlatformConnection {
  readonly id: string;
  readonly state: unknown;
  send(text: string): void;
  close(code: number, reason: string): void;
  setState(state: unknown): unknown;
}

/** A class, so that sending a frame to a thousand sockets calls no thousand closures. */
export class SocketPeer implements Peer {
  readonly id: string;
  /** Looked up once, because an engine would search each socket's own properties for every send. */
  readonly #send: PlatformConnection["send"];

  constructor(
    private readonly connection: PlatformConnection,
    /** When the platform last answered a ping by itself, if it does. */
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

/** The note that the room left with the connection, if it ever joined. */
export function readNote(connection: PlatformConnection): SocketNote | undefined {
  return (connection.state as SocketNote | null) ?? undefined;
}

const neverPinged = () => undefined;
