import { Hono } from "hono";
import type { z } from "zod";
import { findBoard, readPeriod } from "../boards/board-address";
import type { BoardBook } from "../boards/board-book";
import {
  type CorrectionResult,
  correct,
  findMade,
  type HandMove,
  listCorrections,
} from "../boards/corrections";
import { listSeasons } from "../boards/seasons";
import type { CloudflareEnv } from "../platform/cloudflare";
import { type HttpRefusal, refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { checksum } from "../protocol/checksum";
import { asAdmin, type DoorOf, databaseAway, tell } from "./admin-route";
import { badData, readJson, readQuery } from "./api/asked";
import { noQuery } from "./api/boards";
import { correctionBody, correctionsQuery } from "./api/by-hand";
import { noSuchBoard } from "./asked-board";
import { changedBoards } from "./changed-boards";

/** Points changed by hand, and the log of it. */
export function correctionRoutes(doorOf: DoorOf, book: BoardBook) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();

  app.get("/", ({ req, env }) =>
    asAdmin(doorOf, env, req.raw, async () => {
      const query = readQuery(req.raw, correctionsQuery);
      if (!query.ok) return refusalResponse(query);
      const { limit, cursor, user, board } = query.value;
      const found = await listCorrections(env.DB, {
        limit: limit + 1,
        ...(cursor === undefined ? {} : { before: Number(cursor) }),
        ...(user === undefined ? {} : { user }),
        ...(board === undefined ? {} : { board }),
      });
      const shown = found.slice(0, limit);
      const last = found.length > limit ? shown.at(-1) : undefined;
      return tell({ corrections: shown, ...(last ? { cursor: String(last.id) } : {}) });
    }),
  );
  app.post("/", ({ req, env }) =>
    asAdmin(doorOf, env, req.raw, async (by, now) => {
      const query = readQuery(req.raw, noQuery);
      if (!query.ok) return refusalResponse(query);
      const body = await readJson(req.raw, correctionBody);
      if (!body.ok) return refusalResponse(body);
      const { user, reason, id } = body.value;
      const request = id === undefined ? undefined : { id, print: printOf(body.value) };
      const made = request && (await findMade(env.DB, by, request));
      if (made) return answer(made);
      const where = await placesOf(body.value, book, env.DB, now);
      if (!where.ok) return refusalResponse(where);
      const { address, periods } = where;
      const move = moveOf(body.value);
      if (move.what === "add" && address.rules.combine !== "sum") {
        return refusalResponse(badData("add is for boards where points add up: here, set them."));
      }
      const asked = { address, user, move, by, reason };
      const more = { ...(periods === undefined ? {} : { periods }), ...(request ? { request } : {}) };
      try {
        const result = await correct(env.DB, { ...asked, ...more }, now);
        await changedBoards(book, [address.board], now);
        return answer(result);
      } catch (error) {
        console.error("A correction was not answered by the database:", error);
        return databaseAway(request ? MAY_BE_MADE_ONCE : MAY_BE_MADE);
      }
    }),
  );
  app.all("/", () =>
    refusalResponse(
      refuseHttp(405, "bad_action", "Corrections answer GET and POST.", { Allow: "GET, POST" }),
    ),
  );
  return app;
}

const MAY_BE_MADE =
  "The correction may have been made, or not. GET /v1/corrections tells; with an id, a request can be sent again safely.";
const MAY_BE_MADE_ONCE =
  "The correction may have been made, or not. Send the same request again, under the same id: it is made once.";

function answer(result: CorrectionResult): Response {
  if (result.ok) return tell({ corrections: result.corrections });
  const { why, message } = result;
  if (why === "unknown") return refusalResponse(refuseHttp(404, "unknown_user", message));
  return refusalResponse(refuseHttp(409, why === "duplicate" ? "duplicate" : "conflict", message));
}

/** Of all that is asked, in whatever order its fields come. */
function printOf({ id: _, ...asked }: Body): string {
  return checksum(asked);
}

type Body = z.output<typeof correctionBody>;

async function placesOf({ board, periods }: Body, book: BoardBook, db: D1Database, now: number) {
  const address = findBoard(book, board);
  if (!address) return noSuchBoard();
  const wantsSeason = periods?.some((period) => period.startsWith("season"));
  const seasons = wantsSeason ? await listSeasons(db, address.rules.name) : [];
  const stored = new Set<string>();
  for (const period of periods ?? []) {
    const read = readPeriod(address.rules, period, now, seasons);
    if (!read.ok) return refused(read.why, read.problem);
    stored.add(read.period);
  }
  return { ok: true as const, address, periods: periods === undefined ? undefined : [...stored] };
}

function refused(why: "wrong" | "unknown", problem: string): HttpRefusal {
  return why === "wrong" ? badData(`${problem}.`) : refuseHttp(404, "not_found", `${problem}.`);
}

/** One of the three: the schema has seen to it. */
function moveOf({ set, add, tie }: Body): HandMove {
  if (set !== undefined) return { what: "set", points: set, ...(tie === undefined ? {} : { tie }) };
  return add === undefined ? { what: "remove" } : { what: "add", points: add };
}
