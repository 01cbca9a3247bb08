import { withDeadline } from "../../lib/deadline";
import type { Rate } from "../../protocol/rates";
import type { IpLimitsCall } from "./ip-limiter";
import { exhaust } from "./ip-windows";

/** A ban waits no longer than this for an address. */
const DEADLINE_MS = 1_000;

/**
 * A guest who was banned could come back as a new guest. So the window of new guests of their address is filled, and no new
 * guest comes from there until it empties (GUEST_LIMIT). Existing guests and tokens are not affected. An address object that
 * does not answer does not prevent the ban.
 */
export function createGuestBlocker(
  limit: Rate | null,
  callIpLimits: IpLimitsCall | undefined,
): (ipHash: string) => Promise<void> {
  return async (ipHash) => {
    if (!limit || !callIpLimits) return;
    try {
      const answer = await withDeadline(
        () => callIpLimits(ipHash, exhaust("guest", { of: ipHash, ...limit })),
        DEADLINE_MS,
        "The object of an address did not answer",
      );
      if (answer.ok && answer.isFull) throw new Error("The object of an address is full.");
    } catch (error) {
      console.error("The address of a banned guest could not be closed to new guests:", error);
    }
  };
}
