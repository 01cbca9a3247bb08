import { env } from "cloudflare:workers";
import type { BatchEntry } from "../../../src/protocol/batch";
import type { Boards } from "../../../src/room/api/board";
import { applyBatch, type ReceivedBatch } from "../../../src/services/boards/store/apply-batch";
import { createBoardRegistry } from "../../../src/services/boards/store/board-registry";

export const AT = Date.UTC(2026, 10, 20, 12);

/** D1 as shipped, with every call counted that goes to it. */
export class CountedDatabase {
  callCount = 0;
  statementCount = 0;
  rowsRead = 0;
  rowsWritten = 0;
  /** The entries of all attempts together, failed ones too. */
  entryCount = 0;
  /** Called before each call, to make one fail or to observe. */
  before: (statements: number) => void = () => {};
  /** Called when a call has been committed, before its answer arrives. */
  after: () => void = () => {};

  readonly db = new Proxy(env.DB, {
    get: (db, name) => {
      if (name === "prepare") return (sql: string) => this.#watch(db.prepare(sql), sql);
      if (name !== "batch") {
        const value: unknown = Reflect.get(db, name, db);
        return typeof value === "function" ? value.bind(db) : value;
      }
      return async (statements: D1PreparedStatement[]) => {
        this.before(statements.length);
        this.callCount += 1;
        this.statementCount += statements.length;
        const results = await db.batch(statements);
        for (const { meta } of results) {
          this.rowsRead += meta.rows_read;
          this.rowsWritten += meta.rows_written;
        }
        this.after();
        return results;
      };
    },
  });

  /** The scores' own statement is in every attempt once, with the entries as its first parameter. */
  #watch(statement: D1PreparedStatement, sql: string): D1PreparedStatement {
    if (!/^\s*insert into scores\b/.test(sql)) return statement;
    const bind = statement.bind.bind(statement);
    statement.bind = (...given: unknown[]) => {
      const rows: unknown = JSON.parse(String(given[0]));
      if (Array.isArray(rows)) this.entryCount += rows.length;
      return bind(...given);
    };
    return statement;
  }

  reset(): void {
    this.callCount = this.statementCount = this.rowsRead = this.rowsWritten = this.entryCount = 0;
  }
}

let rooms = 0;

/** One epoch of a room, whose batches number themselves. */
export class ScoringRoom {
  n = 0;
  readonly room: string;

  constructor(
    readonly boards: Boards,
    readonly options: { kind?: string; room?: string; epoch?: string; db?: D1Database; ownOnly?: true } = {},
  ) {
    rooms += 1;
    this.room = `${options.kind ?? "main"}/${options.room ?? `r${rooms}-${crypto.randomUUID().slice(0, 8)}`}`;
  }

  nextBatch(entries: readonly unknown[], extra: { closing?: true } = {}): ReceivedBatch {
    this.n += 1;
    const { epoch = "e1", ownOnly } = this.options;
    return { v: 1, room: this.room, epoch, n: this.n, ...(ownOnly ? { ownOnly } : {}), ...extra, entries };
  }

  send(batch: ReceivedBatch, now = AT) {
    const registry = createBoardRegistry([{ name: this.options.kind ?? "main", boards: this.boards }]);
    return applyBatch(this.options.db ?? env.DB, registry, batch, now);
  }

  apply(entries: readonly unknown[], now = AT) {
    return this.send(this.nextBatch(entries), now);
  }
}

export function entry(
  board: string,
  user: string,
  points: number,
  more: Partial<BatchEntry> = {},
): BatchEntry {
  const lastAt = more.lastAt ?? AT;
  return { board, user, name: user.slice(0, 40), points, firstAt: lastAt, lastAt, seq: 1, ...more };
}

export interface Row {
  user: string;
  name: string;
  points: number;
  tie: number;
  reachedAt: number;
  reachedSeq: number;
}

/** A ranking first to last, straight from the table; `turn` as the board's order has it. */
export async function readRanking(board: string, period = "all", sign = -1, tieSign = -1): Promise<Row[]> {
  const { results } = await env.DB.prepare(
    `select user, s.name, ?3 * score as points, ?4 * tie as tie, reached_at as reachedAt, reached_seq as reachedSeq
     from scores s join rankings r on r.id = s.ranking where r.board = ?1 and r.period = ?2
     order by score, s.tie, reached_at, reached_seq, user`,
  )
    .bind(board, period, sign, tieSign)
    .all<Row>();
  // SQLite has no -0, and neither has the model.
  return results.map((row) => ({ ...row, points: row.points + 0, tie: row.tie + 0 }));
}

/** Every span whose count is not what a plain count says, in every ranking. */
export async function findWrongSpans(): Promise<unknown[]> {
  const { results } = await env.DB.prepare(
    `with bounded as (
       select *, lead(score) over o as score2, lead(tie) over o as tie2, lead(reached_at) over o as at2,
         lead(reached_seq) over o as seq2, lead(user) over o as user2
       from spans window o as (partition by ranking order by score, tie, reached_at, reached_seq, user)
     )
     select b.*, (
       select count(*) from scores s where s.ranking = b.ranking
         and (s.score, s.tie, s.reached_at, s.reached_seq, s.user) >= (+b.score, +b.tie, +b.reached_at, +b.reached_seq, +b.user)
         and (s.score, s.tie, s.reached_at, s.reached_seq, s.user) < (+b.score2, +b.tie2, +b.at2, +b.seq2, +b.user2)
     ) as counted from bounded b where score2 is not null and counted <> players`,
  ).all();
  return results;
}
