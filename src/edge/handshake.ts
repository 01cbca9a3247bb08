import { base64urlToText, textToBase64url } from "../lib/base64url";
import { roles } from "../protocol/codes";
import type { JoinTicket } from "../room/inbound/join-ticket";

/** Carries the join ticket from the edge to the room. Only the edge writes it (`forward.ts`). */
export const TICKET_HEADER = "x-tallyroom-hello";

/** JSON in base64url, because a header is ASCII and a name need not be. */
export function encodeTicket(ticket: JoinTicket): string {
  return textToBase64url(JSON.stringify(ticket));
}

/** `undefined` unless the edge wrote it. */
export function decodeTicket(header: string | null): JoinTicket | undefined {
  const text = header ? base64urlToText(header) : undefined;
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isJoinTicket(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

type UncheckedTicket = { readonly [key in keyof JoinTicket]?: unknown };

function isJoinTicket(value: unknown): value is JoinTicket {
  if (typeof value !== "object" || value === null) return false;
  const ticket: UncheckedTicket = value;
  return (
    [ticket.conn, ticket.user, ticket.name, ticket.tab].every(
      (text) => typeof text === "string" && text !== "",
    ) &&
    roles.some((role) => role === ticket.role) &&
    typeof ticket.guest === "boolean" &&
    (ticket.allRooms === undefined || ticket.allRooms === true) &&
    Number.isSafeInteger(ticket.expiresAt) &&
    (ticket.bansCheckedAt === undefined || Number.isSafeInteger(ticket.bansCheckedAt)) &&
    (ticket.epoch === undefined || typeof ticket.epoch === "string") &&
    (ticket.since === undefined || Number.isSafeInteger(ticket.since)) &&
    [ticket.token, ticket.from].every((text) => text === undefined || typeof text === "string")
  );
}
