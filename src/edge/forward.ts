import type { JoinTicket } from "../room/inbound/join-ticket";
import { encodeTicket, TICKET_HEADER } from "./handshake";

/**
 * What a room is handed is a request of our own making. Nothing of the client's goes on: no header that could pose as
 * the edge's, no query with a token in it for a runtime to keep, no `_pk` that two sockets could share.
 */
export function forwardSocket(kind: string, id: string, ticket: JoinTicket): Request {
  return new Request(`http://room/parties/${kind}/${id}?_pk=${ticket.conn}`, {
    headers: { Upgrade: "websocket", [TICKET_HEADER]: encodeTicket(ticket) },
  });
}
