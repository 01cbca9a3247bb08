import { type Batch, type BatchEntry, QUARTER_MS } from "../protocol/batch";
import { boardsFed } from "../protocol/board-names";
import { batchEntrySchema } from "../protocol/schema/batch";
import type { BoardBook, BoardRules } from "./board-book";
import { periodKey } from "./periods";

/** An entry that cannot be written, as it came, and why. */
export interface Rejected {
  entry: unknown;
  reason: string;
}

/** A batch sorted out: what goes where, and what goes nowhere. */
export interface Deal {
  entries: readonly Dealt[];
  /** One slot a (board, quarter of an hour), in the order of time: all of its entries go to the same rankings. */
  places: readonly Place[];
  rejected: readonly Rejected[];
}

export interface Dealt {
  row: DealtRow;
  /** As it came. */
  entry: unknown;
}

/** What SQL reads by number. By hand neither a ban nor an erasure stops it, and without a tie the old one stays. */
export type DealtRow = readonly [
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

/** Slot, ranking's board, its period, combine, turn, tie's turn, most a day or null, declared board, the quarter's beginning. */
export type Place = readonly [
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

export function deal(
  batch: Pick<Batch, "room" | "ownOnly"> & { entries: readonly unknown[] },
  book: BoardBook,
): Deal {
  const kind = batch.room.slice(0, batch.room.indexOf("/"));
  const good: { raw: unknown; entry: BatchEntry; rules: BoardRules }[] = [];
  const rejected: Rejected[] = [];
  for (const raw of batch.entries) {
    const read = batchEntrySchema.safeParse(raw);
    if (!read.success) {
      rejected.push({ entry: raw, reason: sentence(read.error.issues) });
      continue;
    }
    const { tie, ...entry } = read.data;
    const rules = book.of(kind, entry.board);
    if (rules) good.push({ raw, entry: tie === undefined ? entry : { ...entry, tie }, rules });
    else rejected.push({ entry: raw, reason: `Rooms of the kind "${kind}" feed no board "${entry.board}".` });
  }
  good.sort((a, b) => a.entry.firstAt - b.entry.firstAt);

  const slots = new Map<string, number>();
  const places: Place[] = [];
  const entries = good.map(({ raw, entry, rules }): Dealt => {
    const from = Math.floor(entry.firstAt / QUARTER_MS) * QUARTER_MS;
    const key = `${from} ${entry.board}`;
    const slot = slots.get(key) ?? slots.size;
    if (!slots.has(key)) {
      slots.set(key, slot);
      places.push(...placesOf(slot, rules, from, boardsFed(rules, batch.room, batch.ownOnly === true)));
    }
    const { user, name, points, tie = 0, firstAt, lastAt, seq } = entry;
    return { row: [slot, user, name, points, rules.tie ? tie : 0, firstAt, lastAt, seq], entry: raw };
  });
  return { entries, places, rejected };
}

function placesOf(slot: number, rules: BoardRules, from: number, boards: readonly string[]): Place[] {
  const turn = rules.order === "highest" ? -1 : 1;
  const tieTurn = rules.tie === undefined ? 0 : rules.tie === "highest" ? -1 : 1;
  return boards.flatMap((board) =>
    rules.periods.map((period): Place => {
      const key = periodKey(period, from, rules.timeZone);
      const most = rules.maxPerDay ?? null;
      return [slot, board, key, rules.combine, turn, tieTurn, most, rules.name, from];
    }),
  );
}

function sentence(issues: readonly { path: readonly PropertyKey[]; message: string }[]): string {
  return issues.map(({ path, message }) => `${path.join(".") || "the entry"}: ${message}`).join("; ");
}
