/** What `GET /v1/boards/<board>/live` says, and how whoever listens keeps up with it. */

export interface LiveEntry {
  rank: number;
  user: string;
  name: string;
  points: number;
}

/** Event `board`: the first hundred, whole. */
export interface LiveTop {
  version: number;
  updatedAt: number | null;
  entries: readonly LiveEntry[];
}

/** Event `change`: what has become of the board that was told before. */
export interface LiveChange {
  version: number;
  updatedAt: number | null;
  /** Who came, or scored, or was overtaken out of turn: with the rank they have now, lowest first. */
  changed: readonly LiveEntry[];
  /** Who is no longer among the first hundred. */
  gone: readonly string[];
}

/** Whoever is in the change is taken out, and put back in at their rank, lowest first; the others keep their order. */
export function foldChange(top: LiveTop, { version, updatedAt, changed, gone }: LiveChange): LiveTop {
  const moved = new Set([...gone, ...changed.map(({ user }) => user)]);
  const entries = top.entries.filter(({ user }) => !moved.has(user));
  for (const entry of changed) entries.splice(entry.rank - 1, 0, entry);
  return { version, updatedAt, entries: entries.map((entry, at) => ({ ...entry, rank: at + 1 })) };
}
