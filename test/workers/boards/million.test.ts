import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { MAX_POINTS } from "../../../src/protocol/limits";
import { readPage, readStanding } from "../../../src/services/boards/store/read-board";
import { AT, CountedDatabase, entry, findWrongSpans, ScoringRoom } from "./database";

const SIZE = 1_000_000;
const PIECE = 100_000;

/** Two boards of a million players: on the second, half of them share one score. */
const boards = {
  distinct: { score: "-at" },
  tied: { score: "case when at % 2 then -500000 else -at end" },
} as const;
type Name = keyof typeof boards;
const ranking = (board: Name) => ({ board, period: "all", sign: -1 as const });

/** Players straight into the table, under one span: the first batch that comes has it split, as any that is too full. */
async function fillBoard(board: Name): Promise<void> {
  const { score } = boards[board];
  await env.DB.prepare("insert into rankings (board, period, updated_at) values (?1, 'all', 0)")
    .bind(board)
    .run();
  const id = await env.DB.prepare("select id from rankings where board = ?1").bind(board).first<number>("id");
  for (let from = 0; from < SIZE; from += PIECE) {
    await env.DB.prepare(
      `insert into scores (ranking, user, name, score, tie, reached_at, reached_seq, last_at)
       with recursive n (at) as (select ?2 union all select at + 1 from n where at + 1 < ?2 + ${PIECE})
       select ?1, printf('user-%07d', at), 'Somebody', ${score}, 0, ${AT} + at % 1000, at, ${AT} from n order by 2`,
    )
      .bind(id, from)
      .run();
  }
  await env.DB.prepare(
    `insert into spans values (?1, ${-MAX_POINTS - 1}, 0, 0, 0, '', ${SIZE}), (?1, ${MAX_POINTS + 1}, 0, 0, 0, '', 0)`,
  )
    .bind(id)
    .run();
}

const room = (board: Name, db: D1Database = env.DB) =>
  new ScoringRoom({ [board]: { combine: "sum", feeds: "kind" } }, { db });
const user = (at: number) => `user-${String(at).padStart(7, "0")}`;
/** A hundred players all over the board, some of them new. */
const makeHundredEntries = (board: Name, seed: number) =>
  Array.from({ length: 100 }, (_, nth) => {
    const at = (nth * 10_007 + seed * 7_919) % (SIZE + 50_000);
    return entry(board, user(at), 1 + ((nth * 31 + seed) % 900), {
      lastAt: AT + 2_000 + seed,
      firstAt: AT,
      seq: nth,
    });
  });

/** Everything that reads a standing also counts it plainly, in the same transaction. */
function withRankCount(seen: { plain: number[]; read: number }, who: () => string, board: Name): D1Database {
  return new Proxy(env.DB, {
    get: (db, name) => {
      const value: unknown = Reflect.get(db, name, db);
      if (name !== "batch") return typeof value === "function" ? value.bind(db) : value;
      return async (statements: D1PreparedStatement[]) => {
        const plain = db
          .prepare(
            `with me as (select s.* from scores s, rankings r where r.board = ?1 and s.ranking = r.id and s.user = ?2)
             select 1 + count(*) as n from scores s, me where s.ranking = me.ranking
               and (s.score, s.tie, s.reached_at, s.reached_seq, s.user) < (me.score, me.tie, me.reached_at, me.reached_seq, me.user)`,
          )
          .bind(board, who());
        const results = await db.batch<{ n: number }>([...statements, plain]);
        const last = results.pop();
        seen.plain.push(last?.results[0]?.n ?? 0);
        seen.read = Math.max(
          seen.read,
          results.reduce((sum, { meta }) => sum + meta.rows_read, 0),
        );
        return results;
      };
    },
  });
}

describe.each(["distinct", "tied"] as const)("a board of a million players (%s)", (board) => {
  beforeAll(() => fillBoard(board), 240_000);

  it("the board takes batches of a hundred players at 8 rows written per player and period at most", async () => {
    const counted = new CountedDatabase();
    const scoring = room(board, counted.db);
    await scoring.apply(makeHundredEntries(board, 1));
    const spans = await env.DB.prepare("select count(*) as n from spans").first<number>("n");
    console.log(
      `${board}: the first batch splits one span into ${spans} (${counted.rowsWritten} rows written)`,
    );
    const each: number[] = [];
    for (let seed = 2; seed < 8; seed += 1) {
      counted.reset();
      await scoring.apply(makeHundredEntries(board, seed));
      expect(counted.callCount).toBe(1);
      each.push(counted.rowsWritten / 100);
    }
    console.log(
      `${board}: 100 players, one period: ${Math.max(...each)} rows written a player at most, ${counted.rowsRead} read`,
    );
    expect(Math.max(...each)).toBeLessThanOrEqual(8);
  }, 240_000);

  it("[C2] the board reads 150 rows for its top, and 5,000 for a page in its middle", async () => {
    const counted = new CountedDatabase();
    const top = await readPage(counted.db, ranking(board), { limit: 100 }, AT);
    expect(top.entries.map(({ rank }) => rank)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
    const { rowsRead: read } = counted;
    expect(read).toBeLessThanOrEqual(150);
    counted.reset();
    const after = [-500_000, 0, AT + 1, 400_001, user(400_001)] as const;
    const middle = await readPage(counted.db, ranking(board), { limit: 100, after }, AT);
    expect(middle.entries).toHaveLength(100);
    console.log(`${board}: the top ${read} rows read, a page in the middle ${counted.rowsRead}`);
    expect(counted.rowsRead).toBeLessThanOrEqual(5_000);
  }, 240_000);

  it("[C2] the board reads 5,000 rows for rank, count and neighbours, exact at the moment while batches come", async () => {
    const seen = { plain: [] as number[], read: 0 };
    let who = "";
    const db = withRankCount(seen, () => who, board);
    const writers = Array.from({ length: 4 }, () => room(board));
    let batches = 0;
    let isDone = false;
    const writing = Promise.all(
      writers.map(async (writer, nth) => {
        while (!isDone) {
          batches += 1;
          await writer.apply(makeHundredEntries(board, 100 + batches * 4 + nth));
        }
      }),
    );
    const places = [0, 1, 999, 250_000, 499_999, 500_000, 500_001, 500_003, 750_000, 999_998, 999_999];
    const ranks: number[] = [];
    for (const at of places) {
      who = user(at);
      const standing = await readStanding(db, ranking(board), who, 5, AT);
      const near = standing?.around.map(({ rank }) => rank) ?? [];
      expect(near).toEqual(near.map((_, nth) => (near[0] ?? 0) + nth));
      expect(standing?.around.find(({ user }) => user === who)?.rank).toBe(standing?.rank);
      ranks.push(standing?.rank ?? 0);
    }
    isDone = true;
    await writing;
    expect(ranks).toEqual(seen.plain);
    const of = await env.DB.prepare(
      "select count(*) as n from scores s, rankings r where s.ranking = r.id and r.board = ?1",
    )
      .bind(board)
      .first("n");
    expect(await readStanding(env.DB, ranking(board), user(7), 5, AT)).toMatchObject({ of });
    console.log(
      `${board}: rank, count and neighbours: ${seen.read} rows read at most, ${batches} batches meanwhile`,
    );
    expect(batches).toBeGreaterThan(4);
    expect(seen.read).toBeLessThanOrEqual(5_000);
  }, 240_000);

  it("every span's count is right after all that", async () => {
    expect(await findWrongSpans()).toEqual([]);
  }, 240_000);
});
