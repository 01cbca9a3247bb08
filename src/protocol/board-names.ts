/** The part of a board's rules that says where its points count: the kind's ranking, the room's own, or both. */
export interface FedBoard {
  name: string;
  feeds: "both" | "kind" | "room";
}

/** The rankings that points of a room reach. `ownOnly`: the room was opened by a guest. */
export function boardsFed({ name, feeds }: FedBoard, room: string, ownOnly: boolean): string[] {
  const own = ownBoard(name, room);
  if (ownOnly) return feeds === "kind" ? [] : [own];
  switch (feeds) {
    case "kind":
      return [name];
    case "room":
      return [own];
    case "both":
      return [name, own];
  }
}

/** `room`: its id, or `kind/id`. */
export function ownBoard(board: string, room: string): string {
  return `${board}:${room.slice(room.indexOf("/") + 1)}`;
}
