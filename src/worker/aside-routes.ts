import { Hono } from "hono";
import { z } from "zod";
import { type AsideEntry, applyAside, findAside, listAside } from "../boards/aside";
import type { BoardBook } from "../boards/board-book";
import type { CloudflareEnv } from "../platform/cloudflare";
import type { Door } from "../platform/door";
import { readBody } from "../platform/http-body";
import { refusalResponse, refuseHttp } from "../platform/http-refusal";

const PAGE = 100;
const query = z.strictObject({
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, { error: "must be a number" })
    .optional(),
  applied: z.enum(["0", "1"]).optional(),
});
const wanted = z.strictObject({ entry: z.unknown().optional() });
const statusOf = { unknown: 404, applied: 409, refused: 422 } as const;
const codeOf = { unknown: "not_found", applied: "duplicate", refused: "bad_data" } as const;

/** Entries that were set aside, for admins: `npm run aside` asks here. */
export function asideRoutes(doorOf: (env: CloudflareEnv) => Door, book: BoardBook) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();

  app.use(async ({ req, env }, next) => {
    const admin = await doorOf(env).admin(req.raw);
    return admin.ok ? next() : refusalResponse(admin);
  });
  app.get("/", async ({ req, env }) => {
    const read = query.safeParse(req.query());
    if (!read.success) return badData(read.error);
    const { cursor = "0", applied } = read.data;
    const found = await listAside(env.DB, Number(cursor), PAGE + 1, applied === "1");
    const shown = found.slice(0, PAGE);
    const last = found.length > PAGE ? shown.at(-1) : undefined;
    return tell({ entries: shown.map(told), ...(last ? { cursor: String(last.id) } : {}) });
  });
  app.get("/:id{[0-9]{1,15}}", async ({ req, env }) => {
    const found = await findAside(env.DB, Number(req.param("id")));
    return found
      ? tell(told(found))
      : refusalResponse(refuseHttp(404, "not_found", "There is none of that number."));
  });
  app.post("/:id{[0-9]{1,15}}", async ({ req, env }) => {
    const body = await readBody(req.raw);
    if (!body.ok) return refusalResponse(body);
    const read = wanted.safeParse(body.body);
    if (!read.success) return badData(read.error);
    const result = await applyAside(env.DB, book, Number(req.param("id")), read.data.entry, Date.now());
    if (result.ok) return tell(told(result.entry));
    return refusalResponse(refuseHttp(statusOf[result.why], codeOf[result.why], result.message));
  });
  return app;
}

function told({ id, room, epoch, n, entry, reason, at, appliedAt }: AsideEntry) {
  const when = appliedAt === null ? {} : { appliedAt };
  return { id, room, epoch, n, reason, at, ...when, entry: JSON.parse(entry) as unknown };
}

function badData(error: z.ZodError): Response {
  const [issue] = error.issues;
  return refusalResponse(
    refuseHttp(400, "bad_data", `${issue?.path.join(".") || "The request"}: ${issue?.message}.`),
  );
}

function tell(body: unknown): Response {
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}
