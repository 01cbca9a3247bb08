import type { Role } from "../../src/protocol/codes";
import type { Json } from "../../src/protocol/messages";
import type { Link } from "./link";
import type { RoomObject } from "./room-object";

/** The only user whose token is for all rooms: any other admin is one for some rooms. */
export const ADMIN_EVERYWHERE = "1";

/** What the edge would say of their token. */
export function reachOf(user: string): { allRooms?: true } {
  return user === ADMIN_EVERYWHERE ? { allRooms: true } : {};
}

/** Somebody's tab on a room, whichever code it speaks by. */
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
  /** Wants to be in the room; told for good that it may not be. */
  readonly isWanted: boolean;
  endedBy: number | undefined;
  /** Says nothing of what it has read. */
  isSilent: boolean;
  /** What it asked for and was told nothing of. */
  readonly unanswered: readonly string[];

  /** Opens a socket, be there one already or not; what it is let in with is good for so long. */
  connect(expiresInMs?: number): void;
  join(): void;
  leave(): void;
  /** Asks for something, and means it to be done once. */
  do(f: string, a: string, d: Json): void;
  /** Any text, as far as its code would say it. */
  send(text: string): void;
  /** What it holds is the fold of the log at its number. */
  checkState(): void;
  /** Faults have stopped. */
  stopFaults(): void;
}
