import { Hono } from "hono";
import type { z } from "zod";
import { type AuthorizeAdmin, databaseAway, uncachedJson, withAdmin } from "../../../edge/http/admin-route";
import { noQuery } from "../../../edge/http/fields";
import { type HttpRejection, rejectHttp, rejectionResponse } from "../../../edge/http/http-rejection";
import { readJson, readQuery, rejectData } from "../../../edge/http/validate";
import { digestId } from "../../../lib/ids";
import { canonical } from "../../../protocol/checksum";
import type { BoardsEnv } from "../env";
import type { BoardRegistry } from "../store/board-registry";
import {
  applyCorrection,
  type CorrectionMove,
  type CorrectionResult,
  findMade,
  listCorrections,
} from "../store/corrections";
import { resolveBoard, resolvePeriod } from "../store/resolve";
import { listSeasons } from "../store/seasons";
import { correctionBody, correctionsQuery } from "./api/corrections";
import { invalidateBoards } from "./invalidate";
import { boardNotFound } from "./with-board";

/** Corrections of points by an admin, and their log. */
export function correctionRoutes(authorizeAdmin: AuthorizeAdmin, registry: BoardRegistry) {
  const app = new Hono<{ Bindings: BoardsEnv }>();

  app.get("/", ({ req, env }) =>
    withAdmin(authorizeAdmin, req.raw, async () => {
      const query = readQuery(req.raw, correctionsQuery);
      if (!query.ok) return rejectionResponse(query);
      const { limit, cursor, user, board } = query.value;
      const found = await listCorrections(env.DB, {
        limit: limit + 1,
        ...(cursor === undefined ? {} : { before: Number(cursor) }),
        ...(user === undefined ? {} : { user }),
        ...(board === undefined ? {} : { board }),
      });
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      return uncachedJson({ corrections: page, ...(last ? { cursor: String(last.id) } : {}) });
    }),
  );
  app.post("/", ({ req, env }) =>
    withAdmin(authorizeAdmin, req.raw, async (by, now) => {
      const query = readQuery(req.raw, noQuery);
      if (!query.ok) return rejectionResponse(query);
      const body = await readJson(req.raw, correctionBody);
      if (!body.ok) return rejectionResponse(body);
      const { user, reason, id } = body.value;
      const key = id === undefined ? undefined : { id, print: await printOf(body.value) };
      const made = key && (await findMade(env.DB, by, key));
      if (made) return answer(made);
      const target = await resolvePeriods(body.value, registry, env.DB, now);
      if (!target.ok) return rejectionResponse(target);
      const { address: resolved, periods } = target;
      const move = toMove(body.value);
      if (move.what === "add" && resolved.rules.combine !== "sum") {
        return rejectionResponse(rejectData("add is for boards where points add up: here, set them."));
      }
      const request = { resolved, user, move, by, reason };
      const more = { ...(periods === undefined ? {} : { periods }), ...(key ? { key } : {}) };
      try {
        const result = await applyCorrection(env.DB, { ...request, ...more }, now);
        await invalidateBoards(registry, [resolved.board], now);
        return answer(result);
      } catch (error) {
        console.error("A correction was not answered by the database:", error);
        return databaseAway(key ? MAY_BE_MADE_ONCE : MAY_BE_MADE);
      }
    }),
  );
  app.all("/", () =>
    rejectionResponse(
      rejectHttp(405, "bad_action", "Corrections answer GET and POST.", { Allow: "GET, POST" }),
    ),
  );
  return app;
}

const MAY_BE_MADE =
  "The correction may have been made, or not. GET /v1/corrections tells; with an id, a request can be sent again safely.";
const MAY_BE_MADE_ONCE =
  "The correction may have been made, or not. Send the same request again, under the same id: it is made once.";

function answer(result: CorrectionResult): Response {
  if (result.ok) return uncachedJson({ corrections: result.corrections });
  const { why, message } = result;
  if (why === "unknown") return rejectionResponse(rejectHttp(404, "unknown_user", message));
  return rejectionResponse(rejectHttp(409, why === "duplicate" ? "duplicate" : "conflict", message));
}

/** A fingerprint of the request, independent of the order of its fields. */
function printOf({ id: _, ...request }: CorrectionBody): Promise<string> {
  return digestId(canonical(request));
}

type CorrectionBody = z.output<typeof correctionBody>;

async function resolvePeriods(
  { board, periods }: CorrectionBody,
  registry: BoardRegistry,
  db: D1Database,
  now: number,
) {
  const resolved = resolveBoard(registry, board);
  if (!resolved) return boardNotFound();
  const wantsSeason = periods?.some((period) => period.startsWith("season"));
  const seasons = wantsSeason ? await listSeasons(db, resolved.rules.name) : [];
  const stored = new Set<string>();
  for (const period of periods ?? []) {
    const resolvedPeriod = resolvePeriod(resolved.rules, period, now, seasons);
    if (!resolvedPeriod.ok) return rejectPeriod(resolvedPeriod.why, resolvedPeriod.problem);
    stored.add(resolvedPeriod.period);
  }
  return { ok: true as const, address: resolved, periods: periods === undefined ? undefined : [...stored] };
}

function rejectPeriod(why: "wrong" | "unknown", problem: string): HttpRejection {
  return why === "wrong" ? rejectData(`${problem}.`) : rejectHttp(404, "not_found", `${problem}.`);
}

/** The schema guarantees exactly one of set, add and remove. */
function toMove({ set, add, tie }: CorrectionBody): CorrectionMove {
  if (set !== undefined) return { what: "set", points: set, ...(tie === undefined ? {} : { tie }) };
  return add === undefined ? { what: "remove" } : { what: "add", points: add };
}
