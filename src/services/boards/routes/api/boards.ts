import { z } from "zod";
import {
  board,
  name,
  noQuery,
  period,
  points,
  season,
  time,
  user,
  wholeNumber,
} from "../../../../edge/http/fields";
import type { Operation } from "../../../../edge/http/operation";
import { MAX_TIME_MS } from "../../../../protocol/limits";

/** However many are asked for, this many are read and kept: one key serves every `limit`. */
export const PAGE = 100;
export const MAX_AROUND = 25;
export const MAX_USERS = 20;

export const boardParams = z.strictObject({ board });
export const boardUserParams = z.strictObject({ board, user });

const CURSOR = "must be one that a page of this board ended with";
export const liveQuery = z.strictObject({ period: period.optional() });
export const topQuery = z.strictObject({
  period: period.optional(),
  limit: wholeNumber(1, PAGE, 50).describe("How many"),
  cursor: z
    .string({ error: CURSOR })
    .regex(/^[A-Za-z0-9_-]{1,1024}$/, { error: CURSOR })
    .optional()
    .describe("From the page before"),
});
export const userQuery = z.strictObject({
  period: period.optional(),
  around: wholeNumber(0, MAX_AROUND, 5).describe("How many on each side"),
});
const LIST = `must be a JSON array of 1 to ${MAX_USERS} user ids`;
const IDS = `must be 1 to ${MAX_USERS} user ids with commas between`;
export const usersQuery = z.strictObject({
  period: period.optional(),
  ids: z
    .string({ error: IDS })
    .min(1, { error: IDS })
    .max(4_096, { error: IDS })
    .optional()
    .describe(`1 to ${MAX_USERS} user ids with commas between`),
  list: z
    .string({ error: LIST })
    .max(4_096, { error: LIST })
    .refine((value) => readList(value) !== undefined, { error: LIST })
    .optional()
    .describe("The same as a JSON array: ids may hold commas. One of the two is given"),
});

/** The ids of a JSON array. */
export function readList(text: string): string[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    const isList = Array.isArray(list) && list.length > 0 && list.every((id) => typeof id === "string");
    return isList ? list : undefined;
  } catch {
    return undefined;
  }
}

export const seasonSchema = z
  .strictObject({
    season,
    opensAt: time,
    closesAt: time.describe("The first moment that is no longer in it"),
  })
  .meta({ id: "Season", description: "A span that an admin opened" });
export const boardSchema = z
  .strictObject({
    board: z.string(),
    kind: z.string(),
    combine: z.enum(["sum", "best", "last"]).describe("What a player's games come to"),
    order: z.enum(["highest", "lowest"]).describe("Which end is first"),
    tie: z.enum(["highest", "lowest"]).optional().describe("The second column's, where there is one"),
    feeds: z.enum(["both", "kind", "room"]).describe("The kind's ranking, each room's own, or both"),
    timeZone: z.string().describe("Whose midnight ends a day"),
    periods: z.array(
      z.strictObject({
        period: z.enum(["all", "day", "week", "season"]),
        nextReset: z.int().max(MAX_TIME_MS).optional().describe("When the present one ends"),
      }),
    ),
    seasons: z.array(seasonSchema).optional().describe("In the order of time, where the board has any"),
  })
  .meta({ id: "Board", description: "A board as a kind declares it" });
export const rankedSchema = z
  .strictObject({ rank: z.int().min(1), user: z.string(), name, points })
  .meta({ id: "Ranked", description: "A player's place" });
const rankingFields = { board: z.string(), period: z.string().describe("As it is stored: `day:2026-11-20`") };

export const listResponse = z.strictObject({ boards: z.array(boardSchema) });
export const topResponse = z.strictObject({
  ...rankingFields,
  version: z.int().min(0).describe("Raised by every change"),
  updatedAt: time.nullable(),
  entries: z.array(rankedSchema),
  cursor: z.string().optional().describe("Absent on the last page"),
});
export const userResponse = z.strictObject({
  ...rankingFields,
  user: z.string(),
  rank: z.int().min(1),
  of: z.int().min(1),
  points,
  around: z.array(rankedSchema),
});
export const usersResponse = z.strictObject({
  ...rankingFields,
  users: z.array(
    z.strictObject({ user: z.string(), name, rank: z.int().min(1), of: z.int().min(1), points }),
  ),
});

const CACHING =
  "Told from a cache: `Age` says how old it is, `Cache-Status` how it came, `If-None-Match` gets 304 while it is the same.";

export const boardOperations: readonly Operation[] = [
  {
    id: "listBoards",
    method: "get",
    path: "/v1/boards",
    tag: "Boards",
    summary: "The boards that there are",
    about: "Order, periods, seasons, and when each period ends.",
    who: "anyone",
    query: noQuery,
    answers: { 200: { about: "Every board that a kind declares", schema: listResponse } },
  },
  {
    id: "readBoard",
    method: "get",
    path: "/v1/boards/{board}",
    tag: "Boards",
    summary: "The top of a board, page by page",
    about: `A cursor goes on behind the last that was shown, whoever moved meanwhile. ${CACHING}`,
    who: "anyone",
    params: boardParams,
    query: topQuery,
    answers: { 200: { about: "A page", schema: topResponse }, 304: { about: "It is what you have" } },
  },
  {
    id: "followBoard",
    method: "get",
    path: "/v1/boards/{board}/live",
    tag: "Boards",
    summary: "The top of a board as it changes",
    about:
      "Server-sent events: `board` tells the first hundred whole, `change` what became of them. `Last-Event-ID` goes on where a stream was cut.",
    who: "anyone",
    params: boardParams,
    query: liveQuery,
    answers: { 200: { about: "A stream", type: "text/event-stream" } },
  },
  {
    id: "readPlayer",
    method: "get",
    path: "/v1/boards/{board}/users/{user}",
    tag: "Boards",
    summary: "A player's rank, and who stands around",
    about: `404 for whoever is not ranked. ${CACHING}`,
    who: "anyone",
    params: boardUserParams,
    query: userQuery,
    answers: { 200: { about: "Their place", schema: userResponse }, 304: { about: "It is what you have" } },
  },
  {
    id: "readPlayers",
    method: "get",
    path: "/v1/boards/{board}/users",
    tag: "Boards",
    summary: "Several players' ranks at once",
    about: `Whoever is not ranked is left out. ${CACHING}`,
    who: "anyone",
    params: boardParams,
    query: usersQuery,
    answers: { 200: { about: "Their places", schema: usersResponse }, 304: { about: "It is what you have" } },
  },
];
