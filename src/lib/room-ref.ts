/** Which room: its kind and its id. */
export interface RoomRef {
  kind: string;
  id: string;
}

/** `kind/id`: the name of a room's object, and the scope of its own bans. */
export function formatRoomRef({ kind, id }: RoomRef): string {
  return `${kind}/${id}`;
}

export function parseRoomRef(text: string): RoomRef {
  const [kind = "", id = ""] = text.split("/");
  return { kind, id };
}
