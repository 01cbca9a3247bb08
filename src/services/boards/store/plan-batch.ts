import { type Batch, type BatchEntry, QUARTER_MS } from "../../../protocol/batch";
import { boardsFed } from "../../../protocol/board-names";
import { batchEntrySchema } from "../../../protocol/schema/batch";
import type { BoardRegistry, BoardRules } from "./board-registry";
import { periodKey } from "./periods";
import { sortSign } from "./rank-order";

/** An entry that cannot be written, as it came, and the reason. */
export interface RejectedEntry {
  entry: unknown;
  reason: string;
}

/** What to write for a batch, and the entries that cannot be written. */
export interface BatchPlan {
  entries: readonly PlannedEntry[];
  /** One slot for each (board, quarter of an hour), in order of time. All entries of a slot go to the same rankings. */
  targets: readonly RankingTarget[];
  rejected: readonly RejectedEntry[];
}

export interface PlannedEntry {
  row: EntryRow;
  /** As it came. */
  entry: unknown;
}

/** A row that SQL reads by index. No ban or erasure stops a row by hand, and a null tie leaves the old one. */
export type EntryRow = readonly [
  slot: number,
  user: string,
  name: string,
  points: number,
  tie: number | null,
  firstAt: number,
  lastAt: number,
  seq: number,
  isByHand?: 1,
];

/** A ranking that a slot feeds. SQL reads it by index. */
export type RankingTarget = readonly [
  slot: number,
  board: string,
  period: string,
  combine: BoardRules["combine"] | "remove",
  turn: 1 | -1,
  tieTurn: 1 | -1 | 0,
  maxPerDay: number | null,
  declared: string,
  from: number,
];

export function planBatch(
  batch: Pick<Batch, "room" | "ownOnly"> & { entries: readonly unknown[] },
  registry: BoardRegistry,
): BatchPlan {
  const kind = batch.room.slice(0, batch.room.indexOf("/"));
  const good: { raw: unknown; entry: BatchEntry; rules: BoardRules }[] = [];
  const rejected: RejectedEntry[] = [];
  for (const raw of batch.entries) {
    const parsed = batchEntrySchema.safeParse(raw);
    if (!parsed.success) {
      rejected.push({ entry: raw, reason: describeIssues(parsed.error.issues) });
      continue;
    }
    const { tie, ...entry } = parsed.data;
    const rules = registry.find(kind, entry.board);
    if (rules) good.push({ raw, entry: tie === undefined ? entry : { ...entry, tie }, rules });
    else rejected.push({ entry: raw, reason: `Rooms of the kind "${kind}" feed no board "${entry.board}".` });
  }
  good.sort((a, b) => a.entry.firstAt - b.entry.firstAt);

  const slots = new Map<string, number>();
  const targets: RankingTarget[] = [];
  const entries = good.map(({ raw, entry, rules }): PlannedEntry => {
    const from = Math.floor(entry.firstAt / QUARTER_MS) * QUARTER_MS;
    const key = `${from} ${entry.board}`;
    const slot = slots.get(key) ?? slots.size;
    if (!slots.has(key)) {
      slots.set(key, slot);
      targets.push(...toTargets(slot, rules, from, boardsFed(rules, batch.room, batch.ownOnly === true)));
    }
    const { user, name, points, tie = 0, firstAt, lastAt, seq } = entry;
    return { row: [slot, user, name, points, rules.tie ? tie : 0, firstAt, lastAt, seq], entry: raw };
  });
  return { entries, targets, rejected };
}

function toTargets(
  slot: number,
  rules: BoardRules,
  from: number,
  boards: readonly string[],
): RankingTarget[] {
  const sign = sortSign(rules.order);
  const tieSign = rules.tie === undefined ? 0 : sortSign(rules.tie);
  return boards.flatMap((board) =>
    rules.periods.map((period): RankingTarget => {
      const key = periodKey(period, from, rules.timeZone);
      const maxPerDay = rules.maxPerDay ?? null;
      return [slot, board, key, rules.combine, sign, tieSign, maxPerDay, rules.name, from];
    }),
  );
}

function describeIssues(issues: readonly { path: readonly PropertyKey[]; message: string }[]): string {
  return issues.map(({ path, message }) => `${path.join(".") || "the entry"}: ${message}`).join("; ");
}
