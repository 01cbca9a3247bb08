import { configOf } from "../../config/config";
import { createIpLimitsCall } from "../../edge/ip-limits/cloudflare-ip";
import { exhaust } from "../../edge/ip-limits/ip-windows";
import { withDeadline } from "../../lib/deadline";
import { BanService, type BlockNewGuests } from "./ban-service";
import type { BansEnv } from "./env";

/** A ban waits no longer for an address. */
const DEADLINE_MS = 1_000;

/** The keeper of the bans; none in a worker without the database or users' objects, where a room's bans are its own. */
export function openBanService(env: BansEnv): BanService | undefined {
  if (!env.DB || !env.USERS) return undefined;
  return new BanService(env.DB, env.USERS, createGuestBlocker(env));
}

/**
 * A guest who was banned would come back as another. Their address's window of new guests is filled, so that for as long as it
 * is wide (GUEST_LIMIT) nobody new comes from there as a guest; whoever is a guest already is not new, and tokens are
 * untouched. An address that cannot be reached keeps no ban from being set.
 */
function createGuestBlocker(env: BansEnv): BlockNewGuests {
  const rate = configOf(env).limits.guest;
  return async (ipHash) => {
    const ask = createIpLimitsCall(env.ADDRESSES);
    if (!rate || !ask) return;
    try {
      await withDeadline(
        ask(ipHash, exhaust("guest", { of: ipHash, ...rate })),
        DEADLINE_MS,
        "The object of an address did not answer",
      );
    } catch (error) {
      console.error("The address of a banned guest could not be closed to new guests:", error);
    }
  };
}
