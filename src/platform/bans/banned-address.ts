import { filling } from "../addresses/address-windows";
import { askAddressOf } from "../addresses/cloudflare-address";
import type { CloudflareEnv } from "../cloudflare";
import { Door } from "../edge/door";
import { within } from "../within";
import { BanKeeper, type CloseAddress } from "./ban-keeper";

/** A ban waits no longer for an address. */
const DEADLINE_MS = 1_000;

/** The keeper of the bans; none in a worker without the database or users' objects, where a room's bans are its own. */
export function keeperOf(env: CloudflareEnv): BanKeeper | undefined {
  if (!env.DB || !env.USERS) return undefined;
  return new BanKeeper(env.DB, env.USERS, closingAddresses(env));
}

/**
 * A guest who was banned would come back as another. Their address's window of new guests is filled, so that for as long as it
 * is wide (GUEST_LIMIT) nobody new comes from there as a guest; whoever is a guest already is not new, and tokens are
 * untouched. An address that cannot be reached keeps no ban from being set.
 */
function closingAddresses(env: CloudflareEnv): CloseAddress {
  const rate = Door.config(env).limits.guest;
  return async (from) => {
    const ask = askAddressOf(env.ADDRESSES);
    if (!rate || !ask) return;
    try {
      await within(
        ask(from, filling("guest", { of: from, ...rate })),
        DEADLINE_MS,
        "The object of an address did not answer",
      );
    } catch (error) {
      console.error("The address of a banned guest could not be closed to new guests:", error);
    }
  };
}
