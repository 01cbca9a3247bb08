import { configOf } from "../config/config";
import { createGuestBlocker } from "../edge/ip-limits/block-guests";
import { createIpLimitsCall } from "../edge/ip-limits/cloudflare-ip";
import { BanService } from "../services/bans/ban-service";
import type { CloudflareEnv } from "./env";

/** `undefined` in a worker without the database or the users' objects. Each room then keeps its own bans only. */
export function openBans(env: CloudflareEnv): BanService | undefined {
  if (!env.DB || !env.USERS) return undefined;
  const { guest } = configOf(env).limits;
  return new BanService(env.DB, env.USERS, createGuestBlocker(guest, createIpLimitsCall(env.ADDRESSES)));
}
