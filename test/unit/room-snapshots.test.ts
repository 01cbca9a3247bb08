import { describe, expect, it } from "vitest";
import {
  hiddenParts,
  initialPrivate,
  ledger,
  type PrivateState,
  standings,
} from "../../src/features/scores/private-state";
import { canonical } from "../../src/protocol/checksum";
import { SNAPSHOT_EVERY_FRAMES } from "../../src/protocol/limits";
import type { Head } from "../../src/room/storage/journal";
import { restore } from "../../src/room/storage/restore";
import { ROOM_NAME } from "../support/room-stage";
import { ScoreStage } from "../support/score-stage";

/** A room in which so many players have scored. */
async function scored(players: number): Promise<ScoreStage> {
  const stage = await ScoreStage.open();
  stage.join("hanna", "host");
  stage.advance(1_000);
  for (let player = 0; player < players; player++) {
    const user = `player-${player}`;
    const d = { board: "main", user, name: user, stands: { total: player, tie: 0, seq: 1 } };
    stage.room.room["context"].state.slices.foldPrivate("scores", { n: "added", d, at: stage.room.now });
  }
  return stage;
}

/** Awards until the next snapshot, each in a frame of its own, and returns the bytes that the snapshot wrote. */
async function snapshot(stage: ScoreStage, players: number): Promise<{ values: number; chars: number }> {
  const { room } = stage;
  const written = { values: 0, chars: 0 };
  room.runtime.watcher = {
    put: (key, value) => {
      if (!/^[sp]\//.test(key)) return;
      written.values++;
      written.chars += String(value()).length;
    },
    delete: () => {},
    clear: () => {},
  };
  for (let n = 0; written.values === 0; n++) {
    if (n > SNAPSHOT_EVERY_FRAMES) throw new Error("no snapshot");
    stage.advance(100);
    room.post("desk", "scores", "award", { user: `player-${(n * 31) % players}`, points: 1 });
    room.makeDurable();
    // The confirmation of the write arrives meanwhile.
    await undefined;
  }
  return written;
}

const privateOf = (stage: ScoreStage) =>
  stage.room.room["context"].state.slices.private("scores") as PrivateState;

async function restoredPrivate({ room }: ScoreStage): Promise<unknown> {
  const { state: memory } = await restore(
    room.runtime.copy().ports,
    room.kind,
    ROOM_NAME,
    room.settings,
    room.now,
  );
  return memory.slices.private("scores");
}

describe("a snapshot of a room with many players", () => {
  it("[K8] the snapshot stores what changed since the previous one: a few values with 15,000 players as with ten", async () => {
    const costs: { values: number; chars: number }[] = [];
    for (const players of [10, 15_000]) {
      const stage = await scored(players);
      const first = await snapshot(stage, players);
      if (players > 10) expect(first.values, "the first snapshot stores every player").toBeGreaterThan(20);
      const second = await snapshot(stage, players);
      const third = await snapshot(stage, players);
      costs.push(second, third);
      expect(canonical(await restoredPrivate(stage))).toBe(canonical(privateOf(stage)));
      await stage.room.crash();
      expect(canonical(privateOf(stage))).toBe(canonical(await restoredPrivate(stage)));
      const after = await snapshot(stage, players);
      costs.push(after);
    }
    for (const { values, chars } of costs) {
      expect(values).toBeLessThanOrEqual(6);
      // 512 awards, each some 100 characters of a total and a ledger entry, and a few neighbouring entries.
      expect(chars).toBeLessThan(SNAPSHOT_EVERY_FRAMES * 600);
    }
  });

  it("the snapshot contains only parts that its head lists", async () => {
    const stage = await scored(3_000);
    for (let n = 0; n < 3; n++) await snapshot(stage, 3_000);
    const { packs = [], released = [] } = (stage.room.runtime.value("room") as Head).snapshot ?? {};
    const listed = [...packs, ...released].reduce((sum, [, chunks]) => sum + chunks, 0);
    expect(stage.room.runtime.keys("p/")).toHaveLength(listed);
    stage.room.room.close(stage.room.now);
    stage.advance(120_000);
    expect(stage.room.runtime.keys()).toEqual([]);
  });

  it("opens no room where a part of a table is missing, or the batch that is on its way", () => {
    const row = (n: number) => ({ board: "main", user: `u${n}`, name: "U", total: n, tie: 0, seq: n });
    const entry = (n: number) => ({
      ...{ board: "main", user: `u${n}`, name: "U", seq: n },
      ...{ points: 1, firstAt: 0, lastAt: 0 },
    });
    let hidden = initialPrivate();
    for (let n = 0; n < 20; n++) {
      hidden = {
        ...hidden,
        standings: standings.put(hidden.standings, row(n)),
        ledger: ledger.put(hidden.ledger, entry(n)),
        sealed: { n: 1, closing: false, entries: [] },
      };
    }
    const parts = new Map<string, unknown>(hiddenParts.changes(undefined, hidden));
    const rest = hiddenParts.rest(hidden);
    expect(hiddenParts.join(rest, parts)).toEqual(hidden);
    for (const name of parts.keys()) {
      const fewer = new Map([...parts].filter(([other]) => other !== name));
      expect(() => hiddenParts.join(rest, fewer), name).toThrow(/^Storage holds|missing from storage/);
    }
    const sized = { ...initialPrivate(), standings: { size: 1, buckets: [[[row(1)]]] } };
    expect(() => hiddenParts.join(sized, new Map())).toThrow("Storage holds 0 standings");
  });
});
