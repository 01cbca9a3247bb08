import { type Context, Hono } from "hono";
import { z } from "zod";
import { type BoardAddress, findBoard, nextReset, readPeriod } from "../boards/board-address";
import type { BoardBook, BoardRules } from "../boards/board-book";
import type { Place } from "../boards/rank-order";
import { type Ranking, readPage, readStanding } from "../boards/read-board";
import { base64urlToText, textToBase64url } from "../identity/base64url";
import { isUserId } from "../identity/user-id";
import type { AnswerCache, Cached, Question } from "../platform/answer-cache";
import { type Lifetime, lifetimeOf, standingKey, topKey } from "../platform/answer-kinds";
import type { CloudflareEnv } from "../platform/cloudflare";
import { Door } from "../platform/door";
import { boardAnswers } from "../platform/held-answers";
import { type HttpRefusal, refusalResponse, refuseHttp } from "../platform/http-refusal";
import { boardAnswer, boardsAway, rendered } from "./board-answers";
import { type MayRead, TooManyMisses } from "./may-read";

type Ctx = Context<{ Bindings: CloudflareEnv }>;

/** However many are asked for, this many are read and kept: one key serves every `limit`. */
const PAGE = 100;
const MAX_AROUND = 25;
const MAX_USERS = 20;

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

/** What everybody reads: boards, through the cache. */
export function boardRoutes(book: BoardBook, mayRead: MayRead) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();

  app.use(async ({ req, env }, next) => {
    const denial = await mayRead(env, req.raw, "read");
    return denial ? refusalResponse(denial) : next();
  });

  app.get("/", async (c) => {
    const query = readQuery(c, z.strictObject({}));
    if (!query.ok) return refusalResponse(query);
    const now = Date.now();
    const boards = listed(book, now);
    // When one of them starts afresh the list is another.
    const resets = boards.flatMap(({ periods }) => periods.flatMap(({ nextReset }) => nextReset ?? []));
    const key = `list\n${Math.min(...resets)}`;
    const lifetime = lifetimeOf("list", Door.config(c.env));
    const held = await cached(c, boardAnswers.list, { board: "", key, lifetime }, now, async () => boards);
    return boardAnswer(c, held, { boards: held.value }, now, lifetime.maxMs);
  });

  app.get("/:board", (c) =>
    onBoard(c, book, topQuery, mayRead, async ({ limit, cursor }, asked, now) => {
      const { address, ranking, lifetime, admit } = asked;
      const after = cursor === undefined ? undefined : placeIn(cursor);
      if (cursor !== undefined && after === undefined) {
        return refusalResponse(
          refuseHttp(400, "bad_data", "cursor must be one that a page of this board ended with."),
        );
      }
      const key = topKey(address.board, ranking.period, after);
      const held = await cached(
        c,
        boardAnswers.top,
        { board: address.board, key, lifetime, admit },
        now,
        () => readPage(c.env.DB, ranking, { limit: PAGE, ...(after ? { after } : {}) }, now),
      );
      const body = rendered(held.value, `${limit}`, () => {
        const { version, updatedAt, entries, hasMore } = held.value;
        const shown = entries.slice(0, limit);
        const last = hasMore || entries.length > limit ? shown.at(-1) : undefined;
        return {
          board: address.board,
          period: ranking.period,
          version,
          updatedAt,
          entries: shown.map(({ place: _, ...entry }) => entry),
          ...(last ? { cursor: textToBase64url(JSON.stringify(last.place)) } : {}),
        };
      });
      return boardAnswer(c, held, body, now, lifetime.maxMs);
    }),
  );

  app.get("/:board/users", (c) =>
    onBoard(c, book, usersQuery, mayRead, async ({ ids }, asked, now) => {
      const { address, ranking, lifetime } = asked;
      const users = [...new Set(ids.split(","))];
      if (users.length > MAX_USERS || !users.every(isUserId)) {
        return refusalResponse(
          refuseHttp(400, "bad_data", `ids must be 1 to ${MAX_USERS} user ids with commas between.`),
        );
      }
      const all = await Promise.all(users.map((user) => standing(c, asked, user, now)));
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
    onBoard(c, book, userQuery, mayRead, async ({ around }, asked, now) => {
      const { address, ranking, lifetime } = asked;
      const user = c.req.param("user") ?? "";
      if (!isUserId(user)) return refusalResponse(refuseHttp(400, "bad_data", "That is no user id."));
      const held = await standing(c, asked, user, now);
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
  admit: () => Promise<void>;
}

/** Board, parameters and period are judged before the cache is asked: no key comes of what makes no sense. */
async function onBoard<Q extends { period?: string | undefined }>(
  c: Ctx,
  book: BoardBook,
  schema: z.ZodType<Q>,
  mayRead: MayRead,
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
  const ranking: Ranking = {
    board: address.board,
    period: read.period,
    turn: rules.order === "highest" ? -1 : 1,
    ...(address.room === undefined ? {} : { room: address.room }),
  };
  const lifetime = lifetimeOf(read.isClosed ? "closed" : "open", Door.config(c.env));
  const admit = async () => {
    const refusal = await mayRead(c.env, c.req.raw, "readMiss");
    if (refusal) throw new TooManyMisses(refusal);
  };
  try {
    return await work(query.value, { address, ranking, lifetime, admit }, now);
  } catch (error) {
    if (error instanceof TooManyMisses) return refusalResponse(error.refusal);
    console.error(`The board ${address.board} could not be read:`, error);
    return boardsAway();
  }
}

function standing(c: Ctx, { address, ranking, lifetime, admit }: Asked, user: string, now: number) {
  const key = standingKey(address.board, ranking.period, user);
  const question = { board: address.board, key, lifetime, admit };
  return cached(c, boardAnswers.standing, question, now, async () => {
    // Absent players are kept as well.
    return (await readStanding(c.env.DB, ranking, user, MAX_AROUND, now)) ?? null;
  });
}

function cached<T>(
  c: Ctx,
  cache: AnswerCache<T>,
  question: Omit<Question<T>, "fetch" | "keepAlive">,
  now: number,
  fetch: () => Promise<T>,
): Promise<Cached<T>> {
  return cache.get({ ...question, fetch, keepAlive: (work) => c.executionCtx.waitUntil(work) }, now);
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
