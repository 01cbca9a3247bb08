import { IpLimitsObject } from "../edge/ip-limits/cloudflare-ip";
import { type CloudflareEnv, createRoomsClass } from "../platforms/cloudflare";
import type { CustomEffects } from "../platforms/run-effect";
import type { Kind } from "../room/api/kind";
import { createUsersClass } from "../services/bans/object";
import { LiveBoardObject } from "../services/boards/live/object";
import { createBoardRegistry } from "../services/boards/store/board-registry";
import { openDirectory } from "../services/directory/directory";
import { createApp } from "./app";
import { runCron } from "./cron";

/** Rooms of these kinds, in one worker: export `Rooms`, `Users`, `Addresses` and `Boards` for their bindings and `worker` as the default. */
export function serve({
  kinds,
  effects,
}: {
  kinds: readonly Kind[];
  effects?: CustomEffects<CloudflareEnv>;
}) {
  const byName = new Map(kinds.map((kind) => [kind.name, kind]));
  if (byName.size < kinds.length) throw new TypeError("Two kinds have the same name.");
  const { fetch } = createApp(new Set(byName.keys()), createBoardRegistry(kinds));
  return {
    Rooms: createRoomsClass(byName, effects),
    Users: createUsersClass(openDirectory),
    Addresses: IpLimitsObject,
    Boards: LiveBoardObject,
    worker: { fetch, scheduled: runCron },
  };
}
