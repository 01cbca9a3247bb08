import type { Context } from "hono";
import type { z } from "zod";
import { type BoardAddress, findBoard, readPeriod } from "../boards/board-address";
import type { BoardBook, BoardRules } from "../boards/board-book";
import { turnOf } from "../boards/corrections";
import type { Ranking } from "../boards/read-board";
import { listSeasons, type Season } from "../boards/seasons";
import type { AnswerCache, Cached, Question } from "../platform/answers/answer-cache";
import { type Lifetime, lifetimeOf, SEASONS } from "../platform/answers/answer-kinds";
import { boardAnswers } from "../platform/answers/held-answers";
import type { CloudflareEnv } from "../platform/cloudflare";
import { Door } from "../platform/edge/door";
import { type HttpRefusal, refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { badData, readParams, readQuery } from "./api/asked";
import { boardsAway } from "./board-answers";
import { type MayRead, TooManyMisses } from "./may-read";

export type Ctx = Context<{ Bindings: CloudflareEnv }>;

export interface Asked {
  address: BoardAddress;
  ranking: Ranking;
  isClosed: boolean;
  lifetime: Lifetime;
  /** Before the database is asked in the name of whoever asks. */
  admit(): Promise<void>;
}

/** Board, parameters and period are judged before the cache is asked: no key comes of what makes no sense. */
export async function onBoard<P extends z.ZodObject, Q extends z.ZodObject>(
  c: Ctx,
  book: BoardBook,
  schemas: { params: P; query: Q },
  mayRead: MayRead,
  work: (asked: Asked, params: z.output<P>, query: z.output<Q>, now: number) => Promise<Response>,
  away: () => Response = boardsAway,
): Promise<Response> {
  const now = Date.now();
  const params = readParams(c.req.param(), schemas.params);
  if (!params.ok) return refusalResponse(params);
  const query = readQuery(c.req.raw, schemas.query);
  if (!query.ok) return refusalResponse(query);
  const address = findBoard(book, String(params.value.board));
  if (!address) return refusalResponse(noSuchBoard());
  const { period } = query.value;
  try {
    const asked = await judgePeriod(
      c,
      address,
      typeof period === "string" ? period : undefined,
      mayRead,
      now,
    );
    return asked.ok ? await work(asked, params.value, query.value, now) : refusalResponse(asked);
  } catch (error) {
    if (error instanceof TooManyMisses) return refusalResponse(error.refusal);
    console.error(`The board ${address.board} could not be read:`, error);
    return away();
  }
}

/** Which of its periods is asked for; rejects where that would ask the database once too often, or it is away. */
export async function judgePeriod(
  c: Ctx,
  address: BoardAddress,
  asked: string | undefined,
  mayRead: MayRead,
  now: number,
): Promise<({ ok: true } & Asked) | HttpRefusal> {
  const { rules, board, room } = address;
  const admit = () => admitted(c, mayRead);
  const wanted = asked ?? rules.periods[0] ?? "all";
  const seasons = wanted.startsWith("season") ? (await heldSeasons(c, rules, now, admit)).value : [];
  const read = readPeriod(rules, wanted, now, seasons);
  if (!read.ok) {
    return read.why === "wrong"
      ? badData(`${read.problem}.`)
      : refuseHttp(404, "not_found", `${read.problem}.`);
  }
  const ranking: Ranking = {
    board,
    period: read.period,
    turn: turnOf(rules.order),
    ...(room === undefined ? {} : { room }),
  };
  const { isClosed } = read;
  const lifetime = lifetimeOf(isClosed ? "closed" : "open", Door.config(c.env));
  return { ok: true, address, ranking, isClosed, lifetime, admit };
}

/** Rejects where whoever asks would have the database asked once too often. */
export async function admitted(c: Ctx, mayRead: MayRead): Promise<void> {
  const refusal = await mayRead(c.env, c.req.raw, "readMiss");
  if (refusal) throw new TooManyMisses(refusal);
}

/** Those of a board, or of all, from one answer that is held for all. */
export async function heldSeasons(
  c: Ctx,
  rules: BoardRules | undefined,
  now: number,
  admit: () => Promise<void>,
): Promise<Cached<Season[]>> {
  const lifetime = lifetimeOf("seasons", Door.config(c.env));
  const question = { board: SEASONS, key: SEASONS, lifetime, admit };
  const held = await cached(c, boardAnswers.seasons, question, now, () => listSeasons(c.env.DB));
  return rules ? { ...held, value: held.value.filter((season) => season.board === rules.name) } : held;
}

export function cached<T>(
  c: Ctx,
  cache: AnswerCache<T>,
  question: Omit<Question<T>, "fetch" | "keepAlive">,
  now: number,
  fetch: () => Promise<T>,
): Promise<Cached<T>> {
  return cache.get({ ...question, fetch, keepAlive: (work) => c.executionCtx.waitUntil(work) }, now);
}

export function noSuchBoard(): HttpRefusal {
  return refuseHttp(404, "not_found", "No kind of room has a board of that name.");
}
