import type { Role } from "../../src/protocol/codes";
import type { Json } from "../../src/protocol/messages";
import type { Link } from "./link";
import type { RoomObject } from "./room-object";

/** The only user whose token is for all rooms: any other admin is one for some rooms. */
export const ADMIN_EVERYWHERE = "1";

/** What the edge would know from their token. */
export function reachOf(user: string): { allRooms?: true } {
  return user === ADMIN_EVERYWHERE ? { allRooms: true } : {};
}

/** A user's tab on a room: a `Page` with the real session, or a `Tab` that speaks the wire itself. */
export interface Client {
  readonly object: RoomObject;
  readonly user: string;
  readonly tab: string;
  readonly role: Role;
  /** The socket that it uses, or used last. */
  readonly link: Link | undefined;
  readonly epoch: string | undefined;
  readonly seq: number;
  /** Welcome, and it has all that it missed. */
  readonly isOnline: boolean;
  /** Wants to be in the room, and was not refused for good. */
  readonly isWanted: boolean;
  endedBy: number | undefined;
  /** Sends no `seen`. */
  isSilent: boolean;
  /** Its actions without an answer. */
  readonly unanswered: readonly string[];

  /** Opens a socket, also beside another; its token is valid for so long. */
  connect(expiresInMs?: number): void;
  join(): void;
  leave(): void;
  /** Sends an action that has to be done once. */
  do(f: string, a: string, d: Json): void;
  /** Sends any text that its code would send. */
  send(text: string): void;
  /** Checks that its state is the fold of the log at its number. */
  checkState(): void;
  /** Faults have stopped. */
  stopFaults(): void;
}
