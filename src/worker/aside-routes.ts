import { Hono } from "hono";
import { type AsideEntry, applyAside, findAside, listAside } from "../boards/aside";
import type { BoardBook } from "../boards/board-book";
import type { CloudflareEnv } from "../platform/cloudflare";
import { refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { asAdmin, type DoorOf, tell } from "./admin-route";
import { readJson, readParams, readQuery } from "./api/asked";
import { noQuery } from "./api/boards";
import { asideBody, asideQuery, numberParams } from "./api/upkeep";

const PAGE = 100;
const statusOf = { unknown: 404, applied: 409, refused: 422 } as const;
const codeOf = { unknown: "not_found", applied: "duplicate", refused: "bad_data" } as const;

/** Entries that were set aside, for admins: `npm run aside` asks here. */
export function asideRoutes(doorOf: DoorOf, book: BoardBook) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();

  app.get("/", ({ req, env }) =>
    asAdmin(doorOf, env, req.raw, async () => {
      const query = readQuery(req.raw, asideQuery);
      if (!query.ok) return refusalResponse(query);
      const { cursor = "0", applied } = query.value;
      const found = await listAside(env.DB, Number(cursor), PAGE + 1, applied === "1");
      const shown = found.slice(0, PAGE);
      const last = found.length > PAGE ? shown.at(-1) : undefined;
      return tell({ entries: shown.map(told), ...(last ? { cursor: String(last.id) } : {}) });
    }),
  );
  app.get("/:number", ({ req, env }) =>
    asAdmin(doorOf, env, req.raw, async () => {
      const asked = readNumber(req.raw, req.param());
      if (!asked.ok) return refusalResponse(asked);
      const found = await findAside(env.DB, asked.number);
      return found
        ? tell(told(found))
        : refusalResponse(refuseHttp(404, "not_found", "There is none of that number."));
    }),
  );
  app.post("/:number", ({ req, env }) =>
    asAdmin(doorOf, env, req.raw, async (_, now) => {
      const asked = readNumber(req.raw, req.param());
      if (!asked.ok) return refusalResponse(asked);
      const body = await readJson(req.raw, asideBody);
      if (!body.ok) return refusalResponse(body);
      const result = await applyAside(env.DB, book, asked.number, body.value.entry, now);
      if (result.ok) return tell(told(result.entry));
      return refusalResponse(refuseHttp(statusOf[result.why], codeOf[result.why], result.message));
    }),
  );
  return app;
}

function readNumber(request: Request, given: Record<string, string>) {
  const params = readParams(given, numberParams);
  if (!params.ok) return params;
  const query = readQuery(request, noQuery);
  return query.ok ? { ok: true as const, number: Number(params.value.number) } : query;
}

function told({ id, room, epoch, n, entry, reason, at, appliedAt }: AsideEntry) {
  const when = appliedAt === null ? {} : { appliedAt };
  return { id, room, epoch, n, reason, at, ...when, entry: JSON.parse(entry) as unknown };
}
