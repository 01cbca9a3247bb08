import { canonical, crc32 } from "../../../protocol/checksum";
import type { LiveChange, LiveEntry, LiveTop } from "../../../protocol/live";

/**
 * A board's `Last-Event-ID`: its version, and a checksum of its entries. The version alone is not enough: a ban hides players
 * without raising it, and a restored database repeats versions.
 */
export function liveEventId({ version, entries }: LiveTop): string {
  return `${version}-${crc32(canonical(entries)).toString(16).padStart(8, "0")}`;
}

/** The change that turns the first board into the second. */
export function diffBoards(before: LiveTop, { version, updatedAt, entries }: LiveTop): LiveChange {
  const known = new Map(before.entries.map((entry, at) => [entry.user, { entry, at }]));
  const present = new Set(entries.map(({ user }) => user));
  const isSame = ({ user, name, points }: LiveEntry) => {
    const entry = known.get(user)?.entry;
    return entry !== undefined && entry.name === name && entry.points === points;
  };
  // Players who did not score may still have moved among others with the same points.
  const unchanged = entries.filter(isSame);
  const inOrder = longestIncreasingSubsequence(unchanged.map(({ user }) => known.get(user)?.at ?? 0));
  const unmoved = new Set(unchanged.filter((_, at) => inOrder.has(at)).map(({ user }) => user));
  return {
    version,
    updatedAt,
    changed: entries.filter(({ user }) => !unmoved.has(user)),
    gone: before.entries.map(({ user }) => user).filter((user) => !present.has(user)),
  };
}

/** The indices of a longest increasing subsequence. Quadratic, for a hundred numbers. */
function longestIncreasingSubsequence(numbers: readonly number[]): Set<number> {
  const length: number[] = [];
  const previous: number[] = [];
  let best = -1;
  for (const [at, number] of numbers.entries()) {
    length[at] = 1;
    previous[at] = -1;
    for (let before = 0; before < at; before += 1) {
      const longer = (length[before] ?? 0) + 1;
      if ((numbers[before] ?? 0) >= number || longer <= (length[at] ?? 0)) continue;
      length[at] = longer;
      previous[at] = before;
    }
    if (best < 0 || (length[at] ?? 0) > (length[best] ?? 0)) best = at;
  }
  const indices = new Set<number>();
  for (let at = best; at >= 0; at = previous[at] ?? -1) indices.add(at);
  return indices;
}
