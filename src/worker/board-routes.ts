import { Hono } from "hono";
import { z } from "zod";
import { nextReset } from "../boards/board-address";
import type { BoardBook, BoardRules } from "../boards/board-book";
import type { Place } from "../boards/rank-order";
import { readPage, readStanding } from "../boards/read-board";
import type { Season } from "../boards/seasons";
import { base64urlToText, textToBase64url } from "../identity/base64url";
import { isUserId } from "../identity/user-id";
import { lifetimeOf, standingKey, topKey } from "../platform/answers/answer-kinds";
import { boardAnswers } from "../platform/answers/held-answers";
import type { CloudflareEnv } from "../platform/cloudflare";
import { Door } from "../platform/edge/door";
import { refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { badData, readQuery } from "./api/asked";
import {
  boardParams,
  boardUserParams,
  type listAnswer,
  MAX_AROUND,
  MAX_USERS,
  noQuery,
  PAGE,
  readList,
  type topAnswer,
  topQuery,
  type userAnswer,
  userQuery,
  type usersAnswer,
  usersQuery,
} from "./api/boards";
import { type Asked, admitted, type Ctx, cached, heldSeasons, onBoard } from "./asked-board";
import { boardAnswer, boardsAway, rendered } from "./board-answers";
import { type MayRead, TooManyMisses } from "./may-read";

const placeSchema = z.tuple([z.int(), z.int(), z.int(), z.int(), z.string().min(1).max(128)]);

/** What everybody reads: boards, through the cache. */
export function boardRoutes(book: BoardBook, mayRead: MayRead) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();

  app.use(async ({ req, env }, next) => {
    const denial = await mayRead(env, req.raw, "read");
    return denial ? refusalResponse(denial) : next();
  });

  app.get("/", async (c) => {
    const query = readQuery(c.req.raw, noQuery);
    if (!query.ok) return refusalResponse(query);
    const now = Date.now();
    try {
      const hasSeasons = book.all.some(({ periods }) => periods.includes("season"));
      const held = hasSeasons
        ? await heldSeasons(c, undefined, now, () => admitted(c, mayRead))
        : { value: [], readAt: now, told: "hit" as const };
      const { maxMs } = lifetimeOf("seasons", Door.config(c.env));
      return boardAnswer(c, held, { boards: listed(book, held.value, now) }, now, maxMs);
    } catch (error) {
      if (error instanceof TooManyMisses) return refusalResponse(error.refusal);
      console.error("The seasons could not be read:", error);
      return boardsAway();
    }
  });

  app.get("/:board", (c) =>
    onBoard(
      c,
      book,
      { params: boardParams, query: topQuery },
      mayRead,
      async (asked, _, { limit, cursor }, now) => {
        const { address, ranking, lifetime, admit } = asked;
        const after = cursor === undefined ? undefined : placeIn(cursor);
        if (cursor !== undefined && after === undefined) {
          return refusalResponse(badData("cursor must be one that a page of this board ended with."));
        }
        const { board } = address;
        const question = { board, key: topKey(board, ranking.period, after), lifetime, admit };
        const held = await cached(c, boardAnswers.top, question, now, () =>
          readPage(c.env.DB, ranking, { limit: PAGE, ...(after ? { after } : {}) }, now),
        );
        const body = rendered(held.value, `${limit}`, () => {
          const { version, updatedAt, entries, hasMore } = held.value;
          const shown = entries.slice(0, limit);
          const last = hasMore || entries.length > limit ? shown.at(-1) : undefined;
          return {
            board,
            period: ranking.period,
            version,
            updatedAt,
            entries: shown.map(({ place: _, ...entry }) => entry),
            ...(last ? { cursor: textToBase64url(JSON.stringify(last.place)) } : {}),
          } satisfies z.input<typeof topAnswer>;
        });
        return boardAnswer(c, held, body, now, lifetime.maxMs);
      },
    ),
  );

  app.get("/:board/users", (c) =>
    onBoard(
      c,
      book,
      { params: boardParams, query: usersQuery },
      mayRead,
      async (asked, _, { ids, list }, now) => {
        if ((ids === undefined) === (list === undefined)) {
          return refusalResponse(badData("One of ids and list must be given."));
        }
        const users = [...new Set(list === undefined ? ids?.split(",") : readList(list))];
        if (users.length > MAX_USERS || !users.every(isUserId)) {
          return refusalResponse(badData(`ids must be 1 to ${MAX_USERS} user ids with commas between.`));
        }
        const all = await Promise.all(users.map((user) => standing(c, asked, user, now)));
        const oldest = all.reduce((a, b) => (b.readAt < a.readAt ? b : a));
        const found = users.flatMap((user, at) => {
          const value = all[at]?.value;
          return value
            ? [{ user, name: value.name, rank: value.rank, of: value.of, points: value.points }]
            : [];
        });
        const body = {
          board: asked.address.board,
          period: asked.ranking.period,
          users: found,
        } satisfies z.input<typeof usersAnswer>;
        return boardAnswer(c, oldest, body, now, asked.lifetime.maxMs);
      },
    ),
  );

  app.get("/:board/users/:user", (c) =>
    onBoard(
      c,
      book,
      { params: boardUserParams, query: userQuery },
      mayRead,
      async (asked, { user }, { around }, now) => {
        const held = await standing(c, asked, user, now);
        if (!held.value) return refusalResponse(refuseHttp(404, "not_found", "That user has no rank here."));
        const { rank, of, points, around: all } = held.value;
        const near = all.filter((entry) => Math.abs(entry.rank - rank) <= around);
        const body = {
          board: asked.address.board,
          period: asked.ranking.period,
          user,
          rank,
          of,
          points,
          around: near,
        } satisfies z.input<typeof userAnswer>;
        return boardAnswer(c, held, body, now, asked.lifetime.maxMs);
      },
    ),
  );

  app.all("*", ({ req }) =>
    req.method === "GET" || req.method === "HEAD"
      ? refusalResponse(refuseHttp(404, "not_found", "There is nothing at this address."))
      : refusalResponse(refuseHttp(405, "bad_action", "Boards are read with GET.", { Allow: "GET, HEAD" })),
  );
  return app;
}

function standing(c: Ctx, { address, ranking, lifetime, admit }: Asked, user: string, now: number) {
  const { board } = address;
  const question = { board, key: standingKey(board, ranking.period, user), lifetime, admit };
  // Absent players are kept as well: null.
  return cached(c, boardAnswers.standing, question, now, async () => {
    return (await readStanding(c.env.DB, ranking, user, MAX_AROUND, now)) ?? null;
  });
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

function listed(
  book: BoardBook,
  seasons: readonly Season[],
  now: number,
): z.input<typeof listAnswer>["boards"] {
  return book.all.map((rules) => {
    const { name, kind, combine, order, tie, periods, timeZone, feeds } = rules;
    const own = seasons.filter(({ board }) => board === name);
    return {
      board: name,
      kind,
      combine,
      order,
      ...(tie === undefined ? {} : { tie }),
      feeds,
      timeZone,
      periods: periods.map((sort) => {
        const at = endOf(sort, rules, own, now);
        return at === undefined ? { period: sort } : { period: sort, nextReset: at };
      }),
      ...(own.length === 0 ? {} : { seasons: own.map(({ board: _, ...season }) => season) }),
    };
  });
}

/** When the present one of a sort ends, where there is one that does. */
function endOf(
  sort: BoardRules["periods"][number],
  { timeZone }: BoardRules,
  seasons: readonly Season[],
  now: number,
): number | undefined {
  switch (sort) {
    case "all":
      return undefined;
    case "day":
    case "week":
      return nextReset(sort, now, timeZone);
    case "season":
      return seasons.find(({ opensAt, closesAt }) => opensAt <= now && now < closesAt)?.closesAt;
  }
}
