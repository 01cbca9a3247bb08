import { Hono } from "hono";
import { z } from "zod";
import { configOf } from "../../../config/config";
import { noQuery, user as userField } from "../../../edge/http/fields";
import { rejectHttp, rejectionResponse } from "../../../edge/http/http-rejection";
import { RejectionError } from "../../../edge/http/rejection-error";
import { readQuery, rejectData } from "../../../edge/http/validate";
import { base64urlToText, textToBase64url } from "../../../lib/base64url";
import { lifetimeOf, standingKey, topKey } from "../cache/cache-kinds";
import { boardCaches } from "../cache/caches";
import type { BoardsEnv } from "../env";
import type { BoardRegistry, BoardRules } from "../store/board-registry";
import type { RankKey } from "../store/rank-order";
import { readPage, readStanding } from "../store/read-board";
import { nextResetAt } from "../store/resolve";
import type { Season } from "../store/seasons";
import {
  boardParams,
  boardUserParams,
  type listResponse,
  MAX_AROUND,
  MAX_USERS,
  PAGE,
  readList,
  topQuery,
  type topResponse,
  userQuery,
  type userResponse,
  usersQuery,
  type usersResponse,
} from "./api/boards";
import { boardResponse, boardsUnavailable, renderOnce } from "./board-responses";
import type { CheckReadLimit } from "./read-limit";
import {
  type BoardRequest,
  checkReadMiss,
  type RouteContext,
  readCachedSeasons,
  readThrough,
  withBoard,
} from "./with-board";

const cursorSchema = z.tuple([z.int(), z.int(), z.int(), z.int(), z.string().min(1).max(128)]);

/** The public reads of boards, through the cache. */
export function boardRoutes(registry: BoardRegistry, checkReadLimit: CheckReadLimit) {
  const app = new Hono<{ Bindings: BoardsEnv }>();

  app.use(async ({ req }, next) => {
    const rejection = await checkReadLimit(req.raw, "read");
    return rejection ? rejectionResponse(rejection) : next();
  });

  app.get("/", async (c) => {
    const query = readQuery(c.req.raw, noQuery);
    if (!query.ok) return rejectionResponse(query);
    const now = Date.now();
    try {
      const hasSeasons = registry.all.some(({ periods }) => periods.includes("season"));
      const cachedValue = hasSeasons
        ? await readCachedSeasons(c, undefined, now, () => checkReadMiss(c, checkReadLimit))
        : { value: [], readAt: now, status: "hit" as const };
      const { maxMs } = lifetimeOf("seasons", configOf(c.env));
      return boardResponse(
        c,
        cachedValue,
        { boards: listBoards(registry, cachedValue.value, now) },
        now,
        maxMs,
      );
    } catch (error) {
      if (error instanceof RejectionError) return rejectionResponse(error.rejection);
      console.error("The seasons could not be read:", error);
      return boardsUnavailable();
    }
  });

  app.get("/:board", (c) =>
    withBoard(
      c,
      registry,
      { params: boardParams, query: topQuery },
      checkReadLimit,
      async (boardRequest, _, { limit, cursor }, now) => {
        const { resolved, ranking, lifetime, admit } = boardRequest;
        const after = cursor === undefined ? undefined : decodeCursor(cursor);
        if (cursor !== undefined && after === undefined) {
          return rejectionResponse(rejectData("cursor must be one that a page of this board ended with."));
        }
        const { board } = resolved;
        const query = { board, key: topKey(board, ranking.period, after), lifetime, admit };
        const cachedValue = await readThrough(c, boardCaches.top, query, now, () =>
          readPage(c.env.DB, ranking, { limit: PAGE, ...(after ? { after } : {}) }, now),
        );
        const body = renderOnce(cachedValue.value, `${limit}`, () => {
          const { version, updatedAt, entries, hasMore } = cachedValue.value;
          const page = entries.slice(0, limit);
          const last = hasMore || entries.length > limit ? page.at(-1) : undefined;
          return {
            board,
            period: ranking.period,
            version,
            updatedAt,
            entries: page.map(({ place: _, ...entry }) => entry),
            ...(last ? { cursor: textToBase64url(JSON.stringify(last.place)) } : {}),
          } satisfies z.input<typeof topResponse>;
        });
        return boardResponse(c, cachedValue, body, now, lifetime.maxMs);
      },
    ),
  );

  app.get("/:board/users", (c) =>
    withBoard(
      c,
      registry,
      { params: boardParams, query: usersQuery },
      checkReadLimit,
      async (boardRequest, _, { ids, list }, now) => {
        if ((ids === undefined) === (list === undefined)) {
          return rejectionResponse(rejectData("One of ids and list must be given."));
        }
        const users = [...new Set(list === undefined ? ids?.split(",") : readList(list))];
        if (users.length > MAX_USERS || !users.every((id) => userField.safeParse(id).success)) {
          return rejectionResponse(rejectData(`ids must be 1 to ${MAX_USERS} user ids with commas between.`));
        }
        const all = await Promise.all(users.map((user) => readCachedStanding(c, boardRequest, user, now)));
        const oldest = all.reduce((a, b) => (b.readAt < a.readAt ? b : a));
        const found = users.flatMap((user, at) => {
          const value = all[at]?.value;
          return value
            ? [{ user, name: value.name, rank: value.rank, of: value.of, points: value.points }]
            : [];
        });
        const body = {
          board: boardRequest.resolved.board,
          period: boardRequest.ranking.period,
          users: found,
        } satisfies z.input<typeof usersResponse>;
        return boardResponse(c, oldest, body, now, boardRequest.lifetime.maxMs);
      },
    ),
  );

  app.get("/:board/users/:user", (c) =>
    withBoard(
      c,
      registry,
      { params: boardUserParams, query: userQuery },
      checkReadLimit,
      async (boardRequest, { user }, { around }, now) => {
        const cachedValue = await readCachedStanding(c, boardRequest, user, now);
        if (!cachedValue.value)
          return rejectionResponse(rejectHttp(404, "not_found", "That user has no rank here."));
        const { rank, of, points, around: all } = cachedValue.value;
        const near = all.filter((entry) => Math.abs(entry.rank - rank) <= around);
        const body = {
          board: boardRequest.resolved.board,
          period: boardRequest.ranking.period,
          user,
          rank,
          of,
          points,
          around: near,
        } satisfies z.input<typeof userResponse>;
        return boardResponse(c, cachedValue, body, now, boardRequest.lifetime.maxMs);
      },
    ),
  );

  app.all("*", ({ req }) =>
    req.method === "GET" || req.method === "HEAD"
      ? rejectionResponse(rejectHttp(404, "not_found", "There is nothing at this address."))
      : rejectionResponse(rejectHttp(405, "bad_action", "Boards are read with GET.", { Allow: "GET, HEAD" })),
  );
  return app;
}

function readCachedStanding(
  c: RouteContext,
  { resolved, ranking, lifetime, admit }: BoardRequest,
  user: string,
  now: number,
) {
  const { board } = resolved;
  const query = { board, key: standingKey(board, ranking.period, user), lifetime, admit };
  // The absence of a player is cached too, as null.
  return readThrough(c, boardCaches.standing, query, now, async () => {
    return (await readStanding(c.env.DB, ranking, user, MAX_AROUND, now)) ?? null;
  });
}

function decodeCursor(cursor: string): RankKey | undefined {
  const text = base64urlToText(cursor);
  if (text === undefined) return undefined;
  try {
    const read = cursorSchema.safeParse(JSON.parse(text));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}

function listBoards(
  registry: BoardRegistry,
  seasons: readonly Season[],
  now: number,
): z.input<typeof listResponse>["boards"] {
  return registry.all.map((rules) => {
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
      periods: periods.map((periodKind) => {
        const at = periodEndsAt(periodKind, rules, own, now);
        return at === undefined ? { period: periodKind } : { period: periodKind, nextReset: at };
      }),
      ...(own.length === 0 ? {} : { seasons: own.map(({ board: _, ...season }) => season) }),
    };
  });
}

/** When the current period of a kind ends. `undefined` if it does not end, or none is open. */
function periodEndsAt(
  periodKind: BoardRules["periods"][number],
  { timeZone }: BoardRules,
  seasons: readonly Season[],
  now: number,
): number | undefined {
  switch (periodKind) {
    case "all":
      return undefined;
    case "day":
    case "week":
      return nextResetAt(periodKind, now, timeZone);
    case "season":
      return seasons.find(({ opensAt, closesAt }) => opensAt <= now && now < closesAt)?.closesAt;
  }
}
