/** Which room, and under which name: what the address says, and what this browser remembers. */

const ROOM_NAME = /^[A-Za-z0-9._-]{1,64}$/;

/** What a person types as a room's name; spaces become dashes. Nothing, if it cannot be one. */
export function parseRoomName(typed: string): string | undefined {
  const room = typed.trim().replace(/\s+/g, "-");
  return ROOM_NAME.test(room) && room !== "." && room !== ".." ? room : undefined;
}

/** 1–40 characters as the room counts them. */
export function parseUserName(typed: string): string | undefined {
  const name = typed
    .replace(/[\p{Cc}\p{Cs}]/gu, " ")
    .replace(/\s+/g, " ")
    .trim();
  const length = [...name].length;
  return length >= 1 && length <= 40 ? name : undefined;
}

/** `#hall` and `?room=hall` both lead to the room; the hash is the one to share, since it is sent to no server. */
export function parseRoomLink(address: URL): string | undefined {
  const hash = decode(address.hash.slice(1));
  return parseRoomName(hash) ?? parseRoomName(address.searchParams.get("room") ?? "");
}

export function toRoomLink(room: string, address: URL): string {
  return `${address.origin}${address.pathname}#${room}`;
}

function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return "";
  }
}
