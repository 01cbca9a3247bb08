import { describe, expect, it } from "vitest";
import { flush, onBatchAnswer, reopen, requestBatch } from "../../src/features/scores/flush";
import { emptyMap, MapOf } from "../../src/features/scores/persistent-map";
import {
  initialPrivate,
  ledger,
  type PrivateState,
  type PrivateStateEvent,
  reducePrivate,
  standings,
} from "../../src/features/scores/private-state";
import {
  initial,
  isBefore,
  reduce,
  type ScoresEvent,
  type ScoresState,
  topOf,
} from "../../src/features/scores/state";
import type { Context } from "../../src/features/scores/tally";
import { BOARDS } from "../support/score-stage";

type UnnumberedEvent<E> = E extends unknown ? Omit<E, "seq" | "at"> : never;

function fold(...events: UnnumberedEvent<ScoresEvent>[]): ScoresState {
  return events.reduce(
    (state, event, index) => reduce(state, { ...event, seq: index + 1, at: 0 } as ScoresEvent),
    initial(),
  );
}
const scoredEvent = (user: string, total: number, more: object = {}, rule?: object) => ({
  n: "scored" as const,
  d: { board: "best", changes: [{ user, name: user, total, ...more }], ...(rule ? { rule } : {}) },
});

describe("the tops, as every client reduces them", () => {
  it("[G1] the tops keep the place of a player with the same points, though announced again", () => {
    const state = fold(scoredEvent("ann", 5), scoredEvent("bob", 5), scoredEvent("ann", 5, { name: "Anna" }));
    expect(topOf(state, "best")).toEqual([
      { user: "ann", name: "Anna", total: 5, seq: 1 },
      { user: "bob", name: "bob", total: 5, seq: 2 },
    ]);
  });

  it("[G6] the tops break ties by the second column, with the better end of either direction", () => {
    const least = fold(
      scoredEvent("ann", 5, { tie: 30 }, { tie: "lowest" }),
      scoredEvent("bob", 5, { tie: 20 }, { tie: "lowest" }),
      scoredEvent("cid", 5, { tie: 20 }, { tie: "lowest" }),
    );
    expect(topOf(least, "best").map(({ user }) => user)).toEqual(["bob", "cid", "ann"]);
    const most = { tie: "highest" as const };
    expect(isBefore({ total: 5, tie: 3, seq: 9 }, { total: 5, tie: 2, seq: 1 }, most)).toBe(true);
    expect(isBefore({ total: 5, seq: 2 }, { total: 5, tie: 0, seq: 1 }, most)).toBe(false);
    expect(isBefore({ total: 4, seq: 2 }, { total: 5, seq: 1 }, { order: "lowest" })).toBe(true);
  });

  it("the tops follow a new name everywhere, and ignore events of other features", () => {
    const before = fold(scoredEvent("ann", 5), scoredEvent("bob", 4));
    const named = fold(scoredEvent("ann", 5), scoredEvent("bob", 4), {
      n: "renamed",
      d: { user: "bob", name: "Bobby" },
    });
    expect(topOf(named, "best").map(({ name }) => name)).toEqual(["ann", "Bobby"]);
    const refused = fold(scoredEvent("ann", 5), scoredEvent("bob", 4), {
      n: "refused",
      d: { users: ["ann"], count: 1 },
    });
    expect(refused).toEqual(before);
    expect(topOf(before, "toString")).toEqual([]);
  });
});

describe("the room's private points", () => {
  const privateBy = (...events: PrivateStateEvent[]) =>
    events.reduce<PrivateState>(reducePrivate, initialPrivate());
  const event = (n: string, d: object) => ({ n, d, at: 0 }) as PrivateStateEvent;
  const added = (user: string, more: object = {}) =>
    event("added", {
      board: "own",
      user,
      name: user,
      stands: { total: 3, tie: 0, seq: 1 },
      owes: { points: 3, firstAt: 0, lastAt: 0, seq: 1 },
      ...more,
    });
  const one = added("ann");

  it("[G7] the state keeps a player's own entries, even before the player has a total", () => {
    const entered = event("added", { board: "own", user: "ann", name: "ann", own: [[1, 5]] });
    expect([...standings.rows(privateBy(entered).standings)]).toEqual([
      { board: "own", user: "ann", name: "ann", total: 0, tie: 0, seq: 0, own: [[1, 5]] },
    ]);
    const [row] = standings.rows(privateBy(one, entered).standings);
    expect(row).toMatchObject({ total: 3, own: [[1, 5]] });
    expect(privateBy(one, entered).players).toEqual({ own: 1 });
  });

  it("the ledger drops points that returned to nothing", () => {
    const cleared = added("ann", { owes: undefined, clears: 0 });
    expect(privateBy(one, cleared).ledger.size).toBe(0);
    expect(privateBy(cleared).ledger.size).toBe(0);
  });

  it("the state uses a player's new name on all the player's boards", () => {
    const named = event("named", { user: "ann", name: "Anna" });
    const best = added("bob", { board: "best", owes: undefined });
    expect([...standings.rows(privateBy(one, best, named).standings)].map(({ name }) => name).sort()).toEqual(
      ["Anna", "bob"],
    );
  });

  it("the reducer ignores events of a later release, and the end of a batch that is not in flight", () => {
    for (const other of [event("unknown", {}), event("renumbered", { n: 9 })]) {
      expect(privateBy(one, other)).toEqual(privateBy(one));
    }
    const sealed = event("sealed", { n: 1, count: 1, closing: false });
    expect(privateBy(one, sealed, event("renumbered", { n: 9 }))).toMatchObject({ n: 9, sealed: { n: 9 } });
  });

  it("[K3] the effect sends nothing and accepts no answer if no batch is in flight", () => {
    const seen = (privateState: PrivateState): Context => ({
      at: 1_000,
      wallAt: 1_000,
      room: { kind: "main", id: "hall" },
      state: initial(),
      private: privateState,
      members: new Map(),
      seq: 1,
      epoch: "e",
      openedByGuest: false,
      boards: BOARDS,
      flushMs: 5_000,
      timer: () => undefined,
      random: () => 0.5,
      freshId: () => "id",
      filterText: (text) => text,
    });
    expect(requestBatch(seen(initialPrivate()))).toBeUndefined();
    expect(onBatchAnswer(seen(initialPrivate()), { applied: true, refused: [] })).toEqual({});
    expect(() => onBatchAnswer(seen(initialPrivate()), { applied: "yes" })).toThrow(/./);
    expect(flush(seen(initialPrivate()))).toEqual({});
    const last = privateBy(one, event("sealed", { n: 1, count: 1, closing: true }));
    // The last batch is still in flight: the one that says that the epoch continues waits for it.
    expect(reopen(seen(last))).toEqual({
      private: [
        { n: "reopened", d: {} },
        { n: "flushBy", d: { at: 6_000 } },
      ],
    });
    const closed = reducePrivate(last, event("settled", {}));
    expect(reopen(seen(closed))).toMatchObject({ timers: { flush: 6_000 } });
    expect(reopen(seen(initialPrivate()))).toEqual({});
    expect(flush(seen(closed), true)).toEqual({});
    expect([...ledger.rows(closed.ledger)]).toEqual([]);
  });
});

describe("a persistent table", () => {
  const words = new MapOf<{ key: string }>(({ key }) => key);

  it("removing an absent key leaves the table as it is", () => {
    const table = words.put(emptyMap, { key: "a" });
    expect(words.remove(table, "b")).toBe(table);
    expect(words.remove(emptyMap, "b")).toBe(emptyMap);
    expect(words.remove(table, "a").size).toBe(0);
  });

  it("the table gives its first rows in order, and the rest without them, for any history", () => {
    const keys = Array.from({ length: 500 }, (_, n) => String(n));
    let table = words.put(emptyMap, { key: "0" });
    for (const key of keys) table = words.put(table, { key });
    const rows = [...words.rows(table)];
    for (const count of [0, 1, 250, 499, 500, 900]) {
      const { taken, rest } = words.take(table, count);
      expect(taken).toEqual(rows.slice(0, count));
      expect([...words.rows(rest)]).toEqual(rows.slice(count));
      let other = table;
      for (const { key } of taken) other = words.remove(other, key);
      expect(other, `${count}`).toEqual(rest);
      const joined = words.join(
        [...words.changes(emptyMap, rest)].flatMap(([at, bucket]) => (bucket ? [[at, bucket] as const] : [])),
      );
      expect(joined).toEqual(rest);
    }
  });

  it("the table says in which buckets it differs from another, and names no others", () => {
    let table = words.put(emptyMap, { key: "0" });
    for (let n = 1; n < 2_000; n++) table = words.put(table, { key: String(n) });
    expect([...words.changes(table, table)]).toEqual([]);
    const one = words.put(table, { key: "one more" });
    expect([...words.changes(table, one)]).toMatchObject([[expect.any(Number), expect.any(Array)]]);
    expect([...words.changes(words.put(emptyMap, { key: "a" }), emptyMap)]).toMatchObject([
      [expect.any(Number), undefined],
    ]);
  });

  it("the table keeps its order when it is stored", () => {
    let table = words.put(emptyMap, { key: "0" });
    for (let n = 1; n < 300; n++) table = words.put(table, { key: String(n) });
    const again = JSON.parse(JSON.stringify(table));
    expect([...words.rows(again)]).toEqual([...words.rows(table)]);
    expect(words.find(again, "299")).toEqual({ key: "299" });
    expect(words.find(again, "300")).toBeUndefined();
  });
});
