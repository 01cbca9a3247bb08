import { describe, expect, it } from "vitest";
import { MAX_RECORD_CHARS } from "../../src/protocol/limits";
import type { SliceParts } from "../../src/room/api/feature";
import { type PackList, packKeys, SnapshotParts } from "../../src/room/storage/snapshot-parts";
import { randomFrom } from "../platforms/random";

type State = ReadonlyMap<string, { text: string }>;

const parts: SliceParts<State> = {
  rest: () => "rest",
  *changes(before, now) {
    for (const [name, part] of now) if (before?.get(name) !== part) yield [name, part];
    for (const name of before?.keys() ?? []) if (!now.has(name)) yield [name, undefined];
  },
  join: (_, found) => new Map(found) as State,
};
const KEY = "lab/p";

interface Fate {
  commit?: boolean;
  confirmed?: boolean;
  key?: string;
}

/** A store and its disk. A commit is done as a whole, or not at all. */
class Disk {
  store = new SnapshotParts();
  values = new Map<string, string>();
  list: PackList = {};
  /** The size of the newest snapshot. */
  written = { values: 0, chars: 0 };

  /** `commit`: whether the disk accepts it; `confirmed`: whether the room gets the confirmation. */
  snapshot(state: State, { commit = true, confirmed = commit, key = KEY }: Fate = {}): void {
    const { list, puts, deletes, confirm } = this.store.write([{ key, state, parts }]);
    this.written = { values: puts.length, chars: puts.reduce((all, [, text]) => all + text.length, 0) };
    if (commit) {
      for (const [name, text] of puts) this.values.set(name, text);
      for (const name of deletes) this.values.delete(name);
      this.list = list;
    }
    if (confirmed) confirm();
  }

  async restored(key = KEY): Promise<{ store: SnapshotParts; state: State }> {
    const store = new SnapshotParts();
    await store.read({ get: async (name) => this.values.get(name) }, this.list);
    return { store, state: store.join(key, parts, "rest") };
  }

  /** Checks that storage contains what the head lists, and nothing else. */
  check(): void {
    const { packs = [], released = [] } = this.list;
    const reached = [...packs, ...released].flatMap(([pack, chunks]) => packKeys(pack, chunks));
    expect([...this.values.keys()].sort()).toEqual(reached.sort());
  }
}

function stateOf(count: number, chars: number): Map<string, { text: string }> {
  return new Map(Array.from({ length: count }, (_, n) => [`part${n}`, { text: "x".repeat(chars) }]));
}

function textOf(state: State): string {
  return JSON.stringify([...state].sort());
}

describe("a slice that is stored in parts", () => {
  it("the snapshot writes the parts that changed, and about as much again at most", async () => {
    const disk = new Disk();
    let state = stateOf(2_000, 1_000);
    disk.snapshot(state);
    expect(disk.written.values).toBeGreaterThan(30);
    const all = disk.written.chars;
    const random = randomFrom(7);
    for (let round = 0; round < 200; round++) {
      state = new Map(state);
      for (let n = 0; n < 20; n++) state.set(`part${random.below(2_000)}`, { text: "y".repeat(1_000) });
      disk.snapshot(state);
      // Twenty parts are 20,000 characters in one value; a clean-up rewrites one or two others that are half empty.
      expect(disk.written.values).toBeLessThanOrEqual(3);
      expect(disk.written.chars).toBeLessThan(2 * 20_500 + MAX_RECORD_CHARS);
      disk.check();
      const stored = [...disk.values.values()].reduce((sum, text) => sum + text.length, 0);
      expect(stored).toBeLessThan(2 * all + 5 * MAX_RECORD_CHARS);
    }
    expect((await disk.restored()).state).toEqual(state);
    disk.snapshot(state);
    expect(disk.written.values).toBe(0);
  });

  it.each(Array.from({ length: 12 }, (_, seed) => seed + 1))(
    "the slice is restored as it was, after any changes, failures and restarts (seed %i)",
    async (seed) => {
      const random = randomFrom(seed);
      const disk = new Disk();
      let state: State = new Map();
      let stored: State = new Map();
      for (let round = 0; round < 80; round++) {
        const next = new Map(state);
        for (let n = random.below(12); n > 0; n--) {
          const name = `part${random.below(30)}`;
          if (random.below(3) === 0) next.delete(name);
          else next.set(name, { text: `${round}${"z".repeat(random.pick([1, 200, 2_000, 20_000]))}` });
        }
        if (random.below(10) === 0) {
          next.set("large", { text: `${round}${"z".repeat(150_000)}` });
        }
        state = next;
        const commit = random.below(5) > 0;
        disk.snapshot(state, { commit, confirmed: commit && random.below(4) > 0 });
        if (commit) stored = state;
        const restored = await disk.restored();
        expect(textOf(restored.state) === textOf(stored), `round ${round}`).toBe(true);
        if (commit) disk.check();
        if (random.below(6) > 0) continue;
        // The journal's records bring back what the restart lost.
        disk.store = restored.store;
        state = restored.state;
      }
    },
  );

  it("the snapshot builds on no snapshot whose commit may have failed", async () => {
    const disk = new Disk();
    const before = stateOf(10, 100);
    disk.snapshot(before);
    const lost = new Map(before).set("part1", { text: "lost" });
    disk.snapshot(lost, { commit: false });
    const after = new Map(lost).set("part2", { text: "smaller" });
    disk.snapshot(after);
    expect((await disk.restored()).state).toEqual(after);
    disk.check();
  });

  it("the restore omits removed entries, even if an older pack still contains them", async () => {
    const disk = new Disk();
    const state = stateOf(100, 3_000);
    disk.snapshot(state);
    let left: State = state;
    for (let n = 0; n < 100; n++) {
      const next = new Map(left);
      next.delete(`part${n}`);
      left = next;
      disk.snapshot(left);
      if (n % 25 === 0) expect((await disk.restored()).state).toEqual(left);
    }
    expect((await disk.restored()).state).toEqual(new Map());
    expect(disk.values.size).toBeLessThanOrEqual(6);
  });

  it("the snapshot drops the parts of a slice that this code does not have", async () => {
    const disk = new Disk();
    disk.snapshot(stateOf(5, 100), { key: "gone/p" });
    const store = new SnapshotParts();
    await store.read({ get: async (name) => disk.values.get(name) }, disk.list);
    disk.store = store;
    disk.snapshot(stateOf(1, 10));
    expect((await disk.restored()).state.size).toBe(1);
    expect((await disk.restored("gone/p")).state).toEqual(new Map());
  });

  it("the room does not open if a pack is missing", async () => {
    const disk = new Disk();
    disk.snapshot(stateOf(1, 100));
    disk.values.clear();
    await expect(disk.restored()).rejects.toThrow("is missing from storage");
  });
});
