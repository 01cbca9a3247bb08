import { Hono } from "hono";
import { type AuthorizeAdmin, uncachedJson, withAdmin } from "../../../edge/http/admin-route";
import { noQuery } from "../../../edge/http/fields";
import { rejectHttp, rejectionResponse } from "../../../edge/http/http-rejection";
import { readJson, readParams, readQuery } from "../../../edge/http/validate";
import type { BoardsEnv } from "../env";
import type { BoardRegistry } from "../store/board-registry";
import {
  type AreBanned,
  applyDeadLetter,
  type DeadLetter,
  findDeadLetter,
  listDeadLetters,
} from "../store/dead-letters";
import { deadLetterBody, deadLetterParams, deadLetterQuery } from "./api/dead-letters";

const PAGE = 100;
const statusOf = { unknown: 404, applied: 409, refused: 422 } as const;
const codeOf = { unknown: "not_found", applied: "duplicate", refused: "bad_data" } as const;

/** Dead letters, for admins: `npm run dead-letters` calls these routes. */
export function deadLetterRoutes(
  authorizeAdmin: AuthorizeAdmin,
  registry: BoardRegistry,
  areBannedIn: (db: D1Database) => AreBanned,
) {
  const app = new Hono<{ Bindings: BoardsEnv }>();

  app.get("/", ({ req, env }) =>
    withAdmin(authorizeAdmin, req.raw, async () => {
      const query = readQuery(req.raw, deadLetterQuery);
      if (!query.ok) return rejectionResponse(query);
      const { cursor = "0", applied } = query.value;
      const found = await listDeadLetters(env.DB, Number(cursor), PAGE + 1, applied === "1");
      const page = found.slice(0, PAGE);
      const last = found.length > PAGE ? page.at(-1) : undefined;
      return uncachedJson({ entries: page.map(toJson), ...(last ? { cursor: String(last.id) } : {}) });
    }),
  );
  app.get("/:number", ({ req, env }) =>
    withAdmin(authorizeAdmin, req.raw, async () => {
      const parsed = readDeadLetterId(req.raw, req.param());
      if (!parsed.ok) return rejectionResponse(parsed);
      const found = await findDeadLetter(env.DB, parsed.number);
      return found
        ? uncachedJson(toJson(found))
        : rejectionResponse(rejectHttp(404, "not_found", "There is none of that number."));
    }),
  );
  app.post("/:number", ({ req, env }) =>
    withAdmin(authorizeAdmin, req.raw, async (_, now) => {
      const parsed = readDeadLetterId(req.raw, req.param());
      if (!parsed.ok) return rejectionResponse(parsed);
      const body = await readJson(req.raw, deadLetterBody);
      if (!body.ok) return rejectionResponse(body);
      const result = await applyDeadLetter(
        env.DB,
        registry,
        parsed.number,
        body.value.entry,
        now,
        areBannedIn(env.DB),
      );
      if (result.ok) return uncachedJson(toJson(result.entry));
      return rejectionResponse(rejectHttp(statusOf[result.why], codeOf[result.why], result.message));
    }),
  );
  return app;
}

function readDeadLetterId(request: Request, given: Record<string, string>) {
  const params = readParams(given, deadLetterParams);
  if (!params.ok) return params;
  const query = readQuery(request, noQuery);
  return query.ok ? { ok: true as const, number: Number(params.value.number) } : query;
}

function toJson({ id, room, epoch, n, entry, reason, at, appliedAt }: DeadLetter) {
  const when = appliedAt === null ? {} : { appliedAt };
  return { id, room, epoch, n, reason, at, ...when, entry: JSON.parse(entry) as unknown };
}
