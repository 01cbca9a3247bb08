import { createRoomsClass } from "../platforms/cloudflare";
import { IpLimitsObject } from "../platforms/ip-limits-object";
import type { Kind } from "../room/api/kind";
import { createUsersClass } from "../services/bans/object";
import { LiveBoardObject } from "../services/boards/live/object";
import { createBoardRegistry } from "../services/boards/store/board-registry";
import { openDirectory } from "../services/directory/directory";
import { createApp } from "./app";
import { runCron } from "./cron";
import type { CustomEffects } from "./custom-effects";
import type { CloudflareEnv } from "./env";
import { wireRooms } from "./wire-rooms";

/**
 * A worker with rooms of these kinds. Export `Rooms`, `Users`, `Addresses` and `Boards` for their bindings, and `worker` as the
 * default.
 */
export function serve({
  kinds,
  effects,
}: {
  kinds: readonly Kind[];
  effects?: CustomEffects<CloudflareEnv>;
}) {
  const byName = new Map(kinds.map((kind) => [kind.name, kind]));
  if (byName.size < kinds.length) throw new TypeError("Two kinds have the same name.");
  const registry = createBoardRegistry(kinds);
  const { fetch } = createApp(new Set(byName.keys()), registry);
  return {
    Rooms: createRoomsClass(byName, wireRooms(registry, effects)),
    Users: createUsersClass(openDirectory),
    Addresses: IpLimitsObject,
    Boards: LiveBoardObject,
    worker: { fetch, scheduled: runCron },
  };
}
