import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { importTypeScript } from "../../scripts/typescript.mjs";

const usage = "npm run bench -- players [--players 10,15000,100000] [--awards 20000]";
const DEFAULT_PLAYERS = "10,1000,15000,100000";
const DEFAULT_AWARDS = "20000";

setFlagsFromString("--expose-gc");
const collect = /** @type {() => void} */ (runInNewContext("gc"));

/** A room in this process over a storage that only counts: what an award costs the processor, snapshots among them. @param {string[]} args */
export async function playersBench(args) {
  const { values } = parseArgs({
    args,
    options: {
      players: { type: "string", default: DEFAULT_PLAYERS },
      awards: { type: "string", default: DEFAULT_AWARDS },
    },
  });
  const counts = values.players.split(",").map(Number);
  const awards = Number(values.awards);
  if (![...counts, awards].every((value) => Number.isInteger(value) && value > 0)) throw new Error(usage);
  const { Room } = await importTypeScript("src/room/room.ts");
  const { main } = await importTypeScript("src/kinds/main.ts");
  const modules = { Room, kind: { ...main, rules: { ...main.rules, "scores.award": null } } };
  // The engine compiles and grows its heap first.
  await measure(modules, 1_000, 5_000);
  console.log(
    "| players | heap at rest | award p50 | p99 | p99.9 | snapshot | its values | its KiB | restore |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|");
  for (const players of counts) console.log(row(await measure(modules, players, awards)));
}

/**
 * @param {{ Room: any, kind: any }} modules
 * @param {number} players
 * @param {number} awards
 */
async function measure({ Room, kind }, players, awards) {
  const host = new CountingHost();
  const name = { kind: "main", id: "bench" };
  let now = 1_790_000_000_000;
  collect();
  const before = process.memoryUsage().heapUsed;
  const room = await Room.open(host, kind, name, settings, [], now);
  const act = (/** @type {string} */ id, /** @type {string} */ user) => {
    const action = { id, f: "scores", a: "award", d: { user, points: 1 } };
    const answer = room.act(action, { user: "host", name: "Host", role: "host", askedAt: now }, now);
    if (!answer.ok && answer.rejection.code !== "unknown_user") throw new Error(JSON.stringify(answer));
  };
  const { state } = room.context;
  for (let player = 0; player < players; player++) {
    const user = `player-${player}`;
    const stands = { total: player % 1_000, tie: 0, seq: 1 };
    state.slices.foldPrivate("scores", {
      n: "added",
      d: { board: "main", user, name: user, stands },
      at: now,
    });
  }
  const round = async (
    /** @type {number} */ count,
    /** @type {(ms: number, isSnapshot: boolean) => void} */ onAward,
  ) => {
    for (let n = 0; n < count; n++) {
      now += 200;
      const snapshots = host.snapshots.length;
      const from = processorMs();
      act(`${n}-${now}`, `player-${Math.floor(Math.random() * players)}`);
      onAward(processorMs() - from, host.snapshots.length > snapshots);
      if (n % 50 === 0) {
        room.alarm(now);
        for (const { call } of host.calls.splice(0))
          room.effectAnswered(call, { ok: true, answer: { applied: true, refused: [] } }, now);
      }
      await undefined;
    }
  };
  // The first snapshot stores every player.
  await round(1_100, () => {});
  host.snapshots = [];
  /** @type {number[]} */
  const all = [];
  /** @type {number[]} */
  const withSnapshot = [];
  await round(awards, (ms, isSnapshot) => {
    all.push(ms);
    if (isSnapshot) withSnapshot.push(ms);
  });
  collect();
  const heap = process.memoryUsage().heapUsed - before - host.bytes();
  const from = processorMs();
  await Room.open(host, kind, name, settings, [], now);
  const restore = processorMs() - from;
  return { players, heap, all: all.sort(ascending), withSnapshot, snapshots: host.snapshots, restore };
}

/** @param {Awaited<ReturnType<typeof measure>>} measured */
function row({ players, heap, all, withSnapshot, snapshots, restore }) {
  const at = (/** @type {number} */ part) =>
    `${((all[Math.floor(all.length * part)] ?? 0) * 1_000).toFixed(0)} µs`;
  const mean = (/** @type {number[]} */ some) =>
    some.reduce((sum, one) => sum + one, 0) / Math.max(1, some.length);
  const cells = [
    players.toLocaleString("en"),
    `${(heap / 1024 / 1024).toFixed(1)} MiB`,
    at(0.5),
    at(0.99),
    at(0.999),
    `${mean(withSnapshot).toFixed(1)} ms, at most ${Math.max(0, ...withSnapshot).toFixed(1)}`,
    mean(snapshots.map(({ values }) => values)).toFixed(1),
    (mean(snapshots.map(({ chars }) => chars)) / 1024).toFixed(0),
    `${restore.toFixed(0)} ms`,
  ];
  return `| ${cells.join(" | ")} |`;
}

/** Processor time of this process alone. */
function processorMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** A host whose storage only counts. */
class CountingHost {
  /** @type {{ call: string, name: string, request: any }[]} */
  calls = [];
  /** @type {{ values: number, chars: number }[]} */
  snapshots = [];
  #values = new Map();
  #open = { values: 0, chars: 0 };
  random = Math.random;
  #ids = 0;

  freshId = () => `id-${++this.#ids}`;
  wake = () => {};
  runEffect = (/** @type {any} */ call) => void this.calls.push(call);
  report = (/** @type {string} */ problem, /** @type {unknown} */ error) => {
    throw new Error(problem, { cause: error });
  };
  broken = () => {
    throw new Error("A write failed.");
  };

  storage = {
    get: async (/** @type {string} */ key) => this.#values.get(key),
    list: async (
      /** @type {{ prefix: string, startAfter?: string, limit?: number }} */ {
        prefix,
        startAfter = "",
        limit,
      },
    ) =>
      new Map(
        [...this.#values]
          .filter(([key]) => key.startsWith(prefix) && key > startAfter)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .slice(0, limit),
      ),
    put: async (/** @type {string} */ key, /** @type {unknown} */ value) => {
      if (/^[sp]\//.test(key)) {
        this.#open.values++;
        this.#open.chars += String(value).length;
      } else if (key === "room" && this.#open.values > 0) {
        this.snapshots.push(this.#open);
        this.#open = { values: 0, chars: 0 };
      }
      this.#values.set(key, key === "room" ? structuredClone(value) : value);
    },
    delete: async (/** @type {string[]} */ keys) => {
      for (const key of keys) this.#values.delete(key);
    },
    deleteAll: async () => this.#values.clear(),
    getAlarm: async () => null,
    setAlarm: async () => {},
    deleteAlarm: async () => {},
    sync: async () => {},
  };

  /** About the size of the stored texts, which are not in a room's process in a deployment. */
  bytes() {
    let bytes = 0;
    for (const value of this.#values.values()) if (typeof value === "string") bytes += value.length;
    return bytes;
  }
}

const ascending = (/** @type {number} */ a, /** @type {number} */ b) => a - b;

const settings = {
  idleMs: 86_400_000,
  recoveryMs: 10_000,
  leaveGraceMs: 5_000,
  flushMs: 5_000,
  maxUsers: 1_000,
  actionRate: null,
  rules: {},
};
