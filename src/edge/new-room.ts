import type { EdgeRejection } from "./edge-rejection";
import { decodeTicket, TICKET_HEADER } from "./handshake";
import type { IpLimiter } from "./ip-limits/ip-limiter";

/** The address hash that a new room would count against. Absent for admins, who have no limit. */
export const NEW_ROOM_HEADER = "x-tallyroom-begins";

/** Applies the limit on new rooms to an admitted request whose room does not exist yet. */
export async function checkNewRoom(
  forwarded: Request,
  ipLimiter: IpLimiter,
): Promise<EdgeRejection | undefined> {
  const ticket = decodeTicket(forwarded.headers.get(TICKET_HEADER));
  if (ticket)
    return ticket.role === "admin" ? undefined : ipLimiter.consume(ticket.from, [{ rule: "newRoom" }]);
  const ipHash = forwarded.headers.get(NEW_ROOM_HEADER);
  return ipHash === null ? undefined : ipLimiter.consume(ipHash, [{ rule: "newRoom" }]);
}
