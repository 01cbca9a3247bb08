import { configOf } from "../config/config";
import type { RoomWiring } from "../platforms/room-host";
import { createBanHandlers } from "../services/bans/effects";
import { standaloneBanHandlers } from "../services/bans/standalone";
import { boardCaches } from "../services/boards/cache/caches";
import { createBatchHandlers } from "../services/boards/ingest/batch-effect";
import { createDatabaseSink } from "../services/boards/ingest/database-sink";
import type { BoardRegistry } from "../services/boards/store/board-registry";
import { englishFilter } from "../text/english-filter";
import { type CustomEffects, openCustomHandlers } from "./custom-effects";
import type { CloudflareEnv } from "./env";
import { openBans } from "./open-bans";

/** Connects rooms on Cloudflare to the services, which run beside them. */
export function wireRooms(
  registry: BoardRegistry,
  customEffects?: CustomEffects<CloudflareEnv>,
): (env: CloudflareEnv) => RoomWiring {
  return (env) => {
    boardCaches.platformCache.configure(configOf(env));
    const bans = openBans(env);
    return {
      effectHandlers: {
        ...openCustomHandlers(customEffects, env),
        ...(bans ? createBanHandlers(bans, "cloudflare") : standaloneBanHandlers),
        ...createBatchHandlers(createDatabaseSink(env.DB, registry)),
      },
      filter: englishFilter,
    };
  };
}
