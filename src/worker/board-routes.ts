import { type Context, Hono } from "hono";
import { z } from "zod";
import { type BoardAddress, findBoard, nextReset, readPeriod } from "../boards/board-address";
import type { BoardBook, BoardRules } from "../boards/board-book";
import type { Place } from "../boards/rank-order";
import { type Page, type Ranking, readPage, readStanding, type Standing } from "../boards/read-board";
import { base64urlToText, textToBase64url } from "../identity/base64url";
import { isUserId } from "../identity/user-id";
import { boardAnswers, type Cached, type Lifetime } from "../platform/answer-cache";
import type { CloudflareEnv } from "../platform/cloudflare";
import { Door } from "../platform/door";
import { type HttpRefusal, refusalResponse, refuseHttp } from "../platform/http-refusal";
import { boardAnswer, boardsAway } from "./board-answers";

type Ctx = Context<{ Bindings: CloudflareEnv }>;

/** However many are asked for, this many are read and kept: one key serves every `limit`. */
const PAGE = 100;
const MAX_AROUND = 25;
const MAX_USERS = 20;
/** A period that has ended takes no more points but those still on their way. */
const CLOSED_MS = 86_400_000;

const whole = (least: number, most: number, otherwise: number) =>
  z
    .string()
    .regex(/^\d{1,4}$/, { error: `must be a whole number from ${least} to ${most}` })
    .transform(Number)
    .refine((value) => value >= least && value <= most, {
      error: `must be a whole number from ${least} to ${most}`,
    })
    .default(otherwise);
const period = z.string().max(64).optional();

const topQuery = z.strictObject({
  period,
  limit: whole(1, PAGE, 50),
  cursor: z.string().max(1_024).optional(),
});
const userQuery = z.strictObject({ period, around: whole(0, MAX_AROUND, 5) });
const usersQuery = z.strictObject({ period, ids: z.string().min(1).max(4_096) });
const placeSchema = z.tuple([z.int(), z.int(), z.int(), z.int(), z.string().min(1).max(128)]);

/** Whether whoever asks has not asked too much. */
export type MayRead = (env: CloudflareEnv, request: Request) => Promise<HttpRefusal | undefined>;

/** What everybody reads: boards, through the cache. */
export function boardRoutes(book: BoardBook, mayRead: MayRead) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();

  app.use(async ({ req, env }, next) => {
    const denial = await mayRead(env, req.raw);
    return denial ? refusalResponse(denial) : next();
  });

  app.get("/", (c) => {
    const query = readQuery(c, z.strictObject({}));
    if (!query.ok) return refusalResponse(query);
    const now = Date.now();
    return boardAnswer(c, { value: null, readAt: now, told: "hit" }, { boards: listed(book, now) }, now, 0);
  });

  app.get("/:board", (c) =>
    onBoard(c, book, topQuery, async ({ limit, cursor }, { address, ranking, lifetime, key }, now) => {
      const after = cursor === undefined ? undefined : placeIn(cursor);
      if (cursor !== undefined && after === undefined) {
        return refusalResponse(
          refuseHttp(400, "bad_data", "cursor must be one that a page of this board ended with."),
        );
      }
      const from = after === undefined ? "" : JSON.stringify(after);
      const held = await cached<Page>(c, `${key}top\n${from}`, lifetime, now, () =>
        readPage(c.env.DB, ranking, { limit: PAGE, ...(after ? { after } : {}) }, now),
      );
      const { version, updatedAt, entries, hasMore } = held.value;
      const shown = entries.slice(0, limit);
      const last = hasMore || entries.length > limit ? shown.at(-1) : undefined;
      const body = {
        board: address.board,
        period: ranking.period,
        version,
        updatedAt,
        entries: shown.map(({ place: _, ...entry }) => entry),
        ...(last ? { cursor: textToBase64url(JSON.stringify(last.place)) } : {}),
      };
      return boardAnswer(c, held, body, now, lifetime.maxMs);
    }),
  );

  app.get("/:board/users", (c) =>
    onBoard(c, book, usersQuery, async ({ ids }, { address, ranking, lifetime, key }, now) => {
      const users = [...new Set(ids.split(","))];
      if (users.length > MAX_USERS || !users.every(isUserId)) {
        return refusalResponse(
          refuseHttp(400, "bad_data", `ids must be 1 to ${MAX_USERS} user ids with commas between.`),
        );
      }
      const all = await Promise.all(users.map((user) => standing(c, ranking, key, lifetime, user, now)));
      const oldest = all.reduce((a, b) => (b.readAt < a.readAt ? b : a));
      const found = users.flatMap((user, at) => {
        const value = all[at]?.value;
        return value
          ? [{ user, name: value.name, rank: value.rank, of: value.of, points: value.points }]
          : [];
      });
      const body = { board: address.board, period: ranking.period, users: found };
      return boardAnswer(c, oldest, body, now, lifetime.maxMs);
    }),
  );

  app.get("/:board/users/:user", (c) =>
    onBoard(c, book, userQuery, async ({ around }, { address, ranking, lifetime, key }, now) => {
      const user = c.req.param("user") ?? "";
      if (!isUserId(user)) return refusalResponse(refuseHttp(400, "bad_data", "That is no user id."));
      const held = await standing(c, ranking, key, lifetime, user, now);
      if (!held.value) return refusalResponse(refuseHttp(404, "not_found", "That user has no rank here."));
      const { rank, of, points, around: all } = held.value;
      const near = all.filter((entry) => Math.abs(entry.rank - rank) <= around);
      const body = { board: address.board, period: ranking.period, user, rank, of, points, around: near };
      return boardAnswer(c, held, body, now, lifetime.maxMs);
    }),
  );

  app.all("*", ({ req }) =>
    req.method === "GET" || req.method === "HEAD"
      ? refusalResponse(refuseHttp(404, "not_found", "There is nothing at this address."))
      : refusalResponse(refuseHttp(405, "bad_action", "Boards are read with GET.", { Allow: "GET, HEAD" })),
  );
  return app;
}

interface Asked {
  address: BoardAddress;
  ranking: Ranking;
  lifetime: Lifetime;
  /** What keys of this ranking begin with. */
  key: string;
}

/** Board, parameters and period are judged before the cache is asked: no key comes of what makes no sense. */
async function onBoard<Q extends { period?: string | undefined }>(
  c: Ctx,
  book: BoardBook,
  schema: z.ZodType<Q>,
  work: (query: Q, asked: Asked, now: number) => Promise<Response>,
): Promise<Response> {
  const now = Date.now();
  const address = findBoard(book, c.req.param("board") ?? "");
  if (!address)
    return refusalResponse(refuseHttp(404, "not_found", "No kind of room has a board of that name."));
  const query = readQuery(c, schema);
  if (!query.ok) return refusalResponse(query);
  const { rules } = address;
  const read = readPeriod(rules, query.value.period ?? rules.periods[0] ?? "all", now);
  if (!read.ok) return refusalResponse(refuseHttp(400, "bad_data", `${read.problem}.`));
  const { boardTtlMs } = Door.config(c.env);
  const maxMs = read.isClosed ? CLOSED_MS : boardTtlMs;
  const ranking: Ranking = {
    board: address.board,
    period: read.period,
    turn: rules.order === "highest" ? -1 : 1,
    ...(address.room === undefined ? {} : { room: address.room }),
  };
  const lifetime = { refreshMs: maxMs / 2, maxMs };
  try {
    return await work(
      query.value,
      { address, ranking, lifetime, key: `${address.board}\n${read.period}\n` },
      now,
    );
  } catch (error) {
    console.error(`The board ${address.board} could not be read:`, error);
    return boardsAway();
  }
}

function standing(c: Ctx, ranking: Ranking, key: string, lifetime: Lifetime, user: string, now: number) {
  // Absent players are kept as well: null.
  return cached<Standing | null>(c, `${key}user\n${user}`, lifetime, now, async () => {
    return (await readStanding(c.env.DB, ranking, user, MAX_AROUND, now)) ?? null;
  });
}

function cached<T>(
  c: Ctx,
  key: string,
  lifetime: Lifetime,
  now: number,
  fetch: () => Promise<T>,
): Promise<Cached<T>> {
  return boardAnswers.get(key, lifetime, now, fetch, (work) => c.executionCtx.waitUntil(work));
}

function readQuery<Q>(c: Ctx, schema: z.ZodType<Q>): { ok: true; value: Q } | HttpRefusal {
  const given = c.req.queries();
  const twice = Object.entries(given).find(([, values]) => values.length > 1);
  if (twice) return refuseHttp(400, "bad_data", `${twice[0].slice(0, 40)} may be given once.`);
  const read = schema.safeParse(c.req.query());
  if (read.success) return { ok: true, value: read.data };
  const [issue] = read.error.issues;
  return refuseHttp(400, "bad_data", `${issue?.path.join(".") || "The query"}: ${issue?.message}.`);
}

function placeIn(cursor: string): Place | undefined {
  const text = base64urlToText(cursor);
  if (text === undefined) return undefined;
  try {
    const read = placeSchema.safeParse(JSON.parse(text));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}

function listed(book: BoardBook, now: number) {
  return book.all.map(({ name, kind, combine, order, tie, periods, timeZone, feeds }: BoardRules) => ({
    board: name,
    kind,
    combine,
    order,
    ...(tie === undefined ? {} : { tie }),
    feeds,
    timeZone,
    periods: periods.map((sort) =>
      sort === "day" || sort === "week"
        ? { period: sort, nextReset: nextReset(sort, now, timeZone) }
        : { period: sort },
    ),
  }));
}
