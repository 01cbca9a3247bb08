import type { EdgeRejection } from "./edge-rejection";
import { decodeTicket, TICKET_HEADER } from "./handshake";
import type { IpLimiter } from "./ip-limits/ip-limiter";

/** Whom a request of ours names whose room may have to begin: absent for admins, who may as they like. */
export const NEW_ROOM_HEADER = "x-tallyroom-begins";

/** Of a request that the edge let on, to a room that does not exist yet. What it wakes is an object with nothing in it. */
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
