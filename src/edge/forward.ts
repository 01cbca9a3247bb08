import type { JoinTicket } from "../room/inbound/join-ticket";
import { encodeTicket, TICKET_HEADER } from "./handshake";

/**
 * The request that a room receives is made here. Nothing of the client's is forwarded: no header that could pose as the edge's, no
 * query with a token that a runtime might log, no `_pk` that two sockets could share.
 */
export function forwardSocket(kind: string, id: string, ticket: JoinTicket): Request {
  return new Request(`http://room/parties/${kind}/${id}?_pk=${ticket.conn}`, {
    headers: { Upgrade: "websocket", [TICKET_HEADER]: encodeTicket(ticket) },
  });
}
