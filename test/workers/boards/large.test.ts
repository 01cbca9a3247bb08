import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { MAX_BATCH_BYTES, MAX_POINTS } from "../../../src/protocol/limits";
import { AT, CountedDatabase, entry, findWrongSpans, readRanking, ScoringRoom } from "./database";

const count = async (room: string) =>
  env.DB.prepare("select count(*) from set_aside where room = ?1").bind(room).first<number>("count(*)");

describe("[B7] dead letters", () => {
  it("all entries of the largest batch may become dead letters: a board that a release dropped stops no room", async () => {
    const room = new ScoringRoom({ kept: { combine: "sum" } });
    const dropped = Array.from({ length: 9_000 }, (_, at) =>
      entry("dropped", `${at}`.padEnd(20, '"'), at + 1, { seq: at }),
    );
    const bytes = JSON.stringify(dropped).length;
    expect(bytes).toBeGreaterThan(MAX_BATCH_BYTES);
    expect(await room.apply([...dropped, entry("kept", "ann", 1)])).toEqual({ applied: true, refused: [] });
    expect(await count(room.room)).toBe(9_000);
    expect(await room.apply(Array.from({ length: 10_000 }, () => ({})))).toMatchObject({ applied: true });
    expect(await count(room.room)).toBe(19_000);
    expect((await readRanking("kept")).map(({ user }) => user)).toEqual(["ann"]);
  });

  it.each<[string, unknown]>([
    ["a text of a million quotes", '"'.repeat(1_000_000)],
    ["a name of a million letters", entry("kept", "eve", 1, { name: "界".repeat(400_000) })],
    ["a thousand fields", Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`field-${at}`, at]))],
    ["lists in lists, ten thousand deep", JSON.parse("[".repeat(10_000) + "]".repeat(10_000))],
    ["a key named __proto__", JSON.parse(`{"__proto__":{"points":5},"board":"kept","user":"eve"}`)],
  ])("and may be %s, of which the beginning is kept", async (_, bad) => {
    const room = new ScoringRoom({ kept: { combine: "sum" } });
    expect(await room.apply([bad, entry("kept", "bob", 1)])).toEqual({ applied: true, refused: [] });
    const kept = await env.DB.prepare("select entry, reason from set_aside where room = ?1")
      .bind(room.room)
      .first<{ entry: string; reason: string }>();
    const text = JSON.stringify(bad);
    const whole = JSON.parse(kept?.entry ?? "");
    expect(text.startsWith(typeof whole === "string" ? whole : text)).toBe(true);
    expect(kept?.reason.length).toBeLessThanOrEqual(500);
  });

  it("any bad entry among 10,000 is found with little more work than writing them takes", async () => {
    const counted = new CountedDatabase();
    const room = new ScoringRoom({ crowd: { combine: "sum" } }, { db: counted.db });
    await room.apply([entry("crowd", "user-7777", MAX_POINTS)]);
    const players = Array.from({ length: 10_000 }, (_, at) =>
      entry("crowd", `user-${at}`, at + 1, { seq: at }),
    );
    counted.reset();
    expect(await room.apply(players)).toEqual({ applied: true, refused: [] });
    expect(await count(room.room)).toBe(1);
    // The attempt that failed, a third more to tell who, and the one that did not.
    expect(counted.entryCount).toBeLessThan(3.5 * players.length);
    expect(await readRanking("crowd")).toHaveLength(10_000);
    expect(await findWrongSpans()).toEqual([]);
  }, 60_000);
});

describe("[B8] the receipt of an epoch that is over", () => {
  const later = AT + 86_400_001;
  const sweep = () => new ScoringRoom({ life: { combine: "sum" } }).apply([entry("life", "bob", 1)], later);

  it("the receipt goes after a day, and a batch sent again after that counts nothing twice", async () => {
    const room = new ScoringRoom({ life: { combine: "sum" } });
    await room.apply([entry("life", "ann", 5)]);
    const last = room.nextBatch([], { closing: true });
    await room.send(last);
    await sweep();
    expect(await room.send(last, later)).toEqual({ applied: false, reason: "gap", expected: 1 });
    expect(await room.send({ ...last, n: 1 }, later)).toEqual({ applied: true, refused: [] });
    expect((await readRanking("life")).find(({ user }) => user === "ann")?.points).toBe(5);
  });

  it("the receipt stays if the last batch had points: a room that was down for days may still send it", async () => {
    const room = new ScoringRoom({ life: { combine: "sum" } });
    const last = room.nextBatch([entry("life", "cat", 5)], { closing: true });
    await room.send(last);
    await sweep();
    expect(await room.send(last, later)).toEqual({ applied: false, reason: "duplicate", refused: [] });
    expect((await readRanking("life")).find(({ user }) => user === "cat")?.points).toBe(5);
  });
});
