import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldChange, type LiveTop } from "../../src/protocol/live";
import { diffBoards, liveEventId } from "../../src/services/boards/live/diff";

/** Players in any order, some of them with their previous points. */
const tops = fc
  .uniqueArray(
    fc.record({ user: fc.integer({ min: 0, max: 140 }), points: fc.integer({ min: 0, max: 3 }) }),
    {
      selector: ({ user }) => user,
      maxLength: 100,
    },
  )
  .map((players) => makeTop(players.map(({ user, points }) => [`user-${user}`, points])));

function makeTop(players: [user: string, points: number][], version = 1): LiveTop {
  return {
    version,
    updatedAt: version,
    entries: players.map(([user, points], at) => ({ rank: at + 1, user, name: user.toUpperCase(), points })),
  };
}

describe("a diff of a live board", () => {
  it("[V2] a folded diff turns any board into any other", () => {
    fc.assert(
      fc.property(tops, tops, (before, after) => {
        expect(foldChange(before, diffBoards(before, after))).toEqual(after);
      }),
      { numRuns: 500 },
    );
  });

  it("[V2] the diff has only what changed: one player who overtakes fifty is one entry", () => {
    const players = Array.from({ length: 100 }, (_, at): [string, number] => [`user-${at}`, 1_000 - at]);
    const [moved] = players.splice(70, 1);
    const before = makeTop([...players.slice(0, 70), moved as [string, number], ...players.slice(70)]);
    const after = makeTop([...players.slice(0, 20), ["user-70", 5_000], ...players.slice(20)], 2);
    expect(diffBoards(before, after)).toEqual({
      version: 2,
      updatedAt: 2,
      changed: [{ rank: 21, user: "user-70", name: "USER-70", points: 5_000 }],
      gone: [],
    });
  });

  it("[V2] the diff names players who left and came, and those whose tie was broken differently", () => {
    const before = makeTop([
      ["a", 9],
      ["b", 5],
      ["c", 5],
      ["d", 1],
    ]);
    const after = makeTop([
      ["a", 9],
      ["c", 5],
      ["b", 5],
      ["e", 2],
    ]);
    const { changed, gone } = diffBoards(before, after);
    expect([changed.map(({ user }) => user).sort(), gone]).toEqual([
      [expect.stringMatching(/^[bc]$/), "e"],
      ["d"],
    ]);
  });

  it("[V3] the diff has another id if anything shown differs", () => {
    const top = makeTop([
      ["a", 9],
      ["b", 5],
    ]);
    const ids = [
      top,
      { ...top, version: 2 },
      makeTop([["a", 9]]),
      makeTop([
        ["b", 5],
        ["a", 9],
      ]),
      makeTop([
        ["a", 8],
        ["b", 5],
      ]),
    ].map(liveEventId);
    expect(new Set(ids).size).toBe(5);
    expect(liveEventId({ ...top, entries: top.entries.map((entry) => ({ ...entry })) })).toBe(ids[0]);
    for (const id of ids) expect(id).toMatch(/^\d{1,16}-[0-9a-f]{8}$/);
  });
});
