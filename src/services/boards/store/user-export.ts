import { EXPORT_BANS_BY_USER, EXPORT_BANS_OF_USER } from "../../bans/contract";
import { type BoardRegistry, findRules } from "./board-registry";
import { sortSign } from "./rank-order";

/** All stored data of a user. */
export interface UserExport {
  user: string;
  /** The name when they last scored. */
  name?: string;
  erasedAt?: number;
  scores: { board: string; period: string; name: string; points: number; tie?: number; reachedAt: number }[];
  bans: { scope: string; reason?: string; at: number; untilMs?: number }[];
  aside: { room: string; at: number; reason: string; entry: unknown }[];
  corrections: {
    at: number;
    board: string;
    period: string;
    before: number | null;
    after: number | null;
    reason: string;
  }[];
  /** What the user did to others, without those others. */
  did: {
    bans: { scope: string; at: number }[];
    corrections: { board: string; period: string; at: number }[];
  };
}

/** One call, so that the result is consistent. `undefined` if nothing is stored. */
export async function exportUser(
  db: D1Database,
  registry: BoardRegistry,
  user: string,
): Promise<UserExport | undefined> {
  const results = await db.batch(STATEMENTS.map((sql) => db.prepare(sql).bind(user)));
  const [players, scores, bans, aside, corrections, bansSet, corrected] = results;
  const [player] = rows<{ name: string; erasedAt: number | null }>(players);
  const userExport: UserExport = {
    user,
    ...(player?.name ? { name: player.name } : {}),
    ...(player?.erasedAt == null ? {} : { erasedAt: player.erasedAt }),
    scores: rows<ScoreRow>(scores).map((row) => toExportedScore(row, registry)),
    bans: rows<{ scope: string; reason: string | null; at: number; untilMs: number | null }>(bans).map(
      ({ scope, reason, at, untilMs }) => ({
        scope,
        ...(reason === null ? {} : { reason }),
        at,
        ...(untilMs === null ? {} : { untilMs }),
      }),
    ),
    aside: rows<{ room: string; at: number; reason: string; entry: string }>(aside).map((row) => ({
      ...row,
      entry: JSON.parse(row.entry) as unknown,
    })),
    corrections: rows<UserExport["corrections"][number]>(corrections),
    did: {
      bans: rows<{ scope: string; at: number }>(bansSet),
      corrections: rows<{ board: string; period: string; at: number }>(corrected),
    },
  };
  const isKnown = results.some((result) => result.results.length > 0);
  return isKnown ? userExport : undefined;
}

interface ScoreRow {
  board: string;
  period: string;
  name: string;
  score: number;
  tie: number;
  reachedAt: number;
}

/** A board that is no longer declared is exported as if the highest score came first. */
function toExportedScore(
  { score, tie, ...row }: ScoreRow,
  registry: BoardRegistry,
): UserExport["scores"][number] {
  const rules = findRules(registry, row.board);
  return {
    ...row,
    points: sortSign(rules?.order ?? "highest") * score + 0,
    ...(rules?.tie === undefined ? {} : { tie: sortSign(rules.tie) * tie + 0 }),
  };
}

function rows<T>(result: D1Result | undefined): T[] {
  return (result?.results ?? []) as T[];
}

const STATEMENTS = [
  "select name, erased_at as erasedAt from players where user = ?1",
  `select r.board, r.period, s.name, s.score, s.tie, s.reached_at as reachedAt
   from rankings r cross join scores s on s.ranking = r.id and s.user = ?1 where r.board <> '' order by r.board, r.period`,
  EXPORT_BANS_OF_USER,
  "select room, at, reason, entry from set_aside where entry ->> '$.user' = ?1 order by id",
  "select at, board, period, before, after, reason from corrections where user = ?1 order by id",
  EXPORT_BANS_BY_USER,
  "select board, period, at from corrections where by = ?1 order by id",
];
