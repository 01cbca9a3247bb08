import type { Role } from "../../protocol/codes";

/** What the edge has established about a socket before the room is touched. */
export interface JoinTicket {
  /** Made at the edge, never taken from the client. */
  conn: string;
  user: string;
  name: string;
  role: Role;
  guest: boolean;
  /** The token is for every room, so that an admin may also do what reaches beyond this one. */
  allRooms?: true;
  expiresAt: number;
  /** When the edge asked whether they are banned, and they were not; nothing where nobody could be asked. */
  bansCheckedAt?: number;
  /** A digest of the client's `_pk`: names a tab of a user. */
  tab: string;
  /** Where to resume. */
  epoch?: string;
  since?: number;
  /** A bare guest's fresh token: told once in the welcome, never kept. */
  token?: string;
  /** The keyed hash of where it comes from, where the platform tells that. */
  from?: string;
}
