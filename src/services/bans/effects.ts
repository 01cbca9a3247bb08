import type { EffectHandlers } from "../../lib/effect-handler";
import type { Platform } from "../directory/contract";
import type { BanService } from "./ban-service";

/** Moderation's effects, for rooms that run beside the ban service. */
export function createBanHandlers(bans: BanService, platform: Platform): EffectHandlers {
  return {
    "moderation/places": (room, request) => bans.recordPresence(platform, room, request),
    "moderation/bans": (room, request) => bans.applyWrites(room, request),
  };
}
