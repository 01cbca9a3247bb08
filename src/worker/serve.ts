import { openBoardBook } from "../boards/board-book";
import { Addresses } from "../platform/addresses/cloudflare-address";
import { BoardObject } from "../platform/answers/board-object";
import { UserObject } from "../platform/bans/user-object";
import { type CloudflareEnv, roomsOf } from "../platform/cloudflare";
import type { OwnErrands } from "../platform/errands";
import type { Kind } from "../room/kind";
import { appOf } from "./app";
import { clearAway } from "./clear-away";

/** Rooms of these kinds, in one worker: export `Rooms`, `Users`, `Addresses` and `Boards` for their bindings and `worker` as the default. */
export function serve({ kinds, errands }: { kinds: readonly Kind[]; errands?: OwnErrands<CloudflareEnv> }) {
  const byName = new Map(kinds.map((kind) => [kind.name, kind]));
  if (byName.size < kinds.length) throw new TypeError("Two kinds have the same name.");
  const { fetch } = appOf(new Set(byName.keys()), openBoardBook(kinds));
  return {
    Rooms: roomsOf(byName, errands),
    Users: UserObject,
    Addresses,
    Boards: BoardObject,
    worker: { fetch, scheduled: clearAway },
  };
}
