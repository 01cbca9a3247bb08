import type { RoomsEnv } from "../platforms/cloudflare";
import type { BansEnv } from "../services/bans/env";
import type { BoardsEnv } from "../services/boards/env";
import type { DirectoryEnv } from "../services/directory/env";

/** Every binding and variable of the worker. */
export type CloudflareEnv = RoomsEnv & BansEnv & BoardsEnv & DirectoryEnv;
