import { roomsOf } from "../platform/cloudflare";
import type { Kind } from "../room/kind";
import { appOf } from "./app";

/** Rooms of these kinds, in one worker: export `Rooms` for the binding and `fetch` as the default. */
export function serve({ kinds }: { kinds: readonly Kind[] }) {
  const byName = new Map(kinds.map((kind) => [kind.name, kind]));
  if (byName.size < kinds.length) throw new TypeError("Two kinds have the same name.");
  const { fetch } = appOf(new Set(byName.keys()));
  return { Rooms: roomsOf(byName), worker: { fetch } };
}
