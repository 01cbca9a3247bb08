import { Hono } from "hono";
import type { BoardBook } from "../boards/board-book";
import { erase } from "../boards/erasure";
import { readPerson } from "../boards/person";
import type { CloudflareEnv } from "../platform/cloudflare";
import { refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { asAdmin, type DoorOf, tell, whileReached } from "./admin-route";
import { readParams, readQuery } from "./api/asked";
import { noQuery } from "./api/boards";
import { userParams } from "./api/by-hand";
import { changedBoards } from "./changed-boards";

/** What rests of a person: told to them or an admin, erased by an admin. */
export function userRoutes(doorOf: DoorOf, book: BoardBook) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();

  app.get("/:user", async ({ req, env }) => {
    const params = readParams(req.param(), userParams);
    const caller = await doorOf(env).self(req.raw, params.ok ? params.value.user : "");
    if (!caller.ok) return refusalResponse(caller);
    if (!params.ok) return refusalResponse(params);
    const query = readQuery(req.raw, noQuery);
    if (!query.ok) return refusalResponse(query);
    return whileReached(async () => {
      const person = await readPerson(env.DB, book, params.value.user);
      return person
        ? tell(person)
        : refusalResponse(refuseHttp(404, "not_found", "Nothing is kept of that user."));
    });
  });
  app.delete("/:user", ({ req, env }) =>
    asAdmin(doorOf, env, req.raw, async (_, now) => {
      const params = readParams(req.param(), userParams);
      if (!params.ok) return refusalResponse(params);
      const query = readQuery(req.raw, noQuery);
      if (!query.ok) return refusalResponse(query);
      const { boards, ...erased } = await erase(env.DB, params.value.user, now);
      await changedBoards(book, boards, now);
      return tell({ erased: true, ...erased });
    }),
  );
  app.all("/:user", () =>
    refusalResponse(
      refuseHttp(405, "bad_action", "A user answers GET and DELETE.", { Allow: "GET, DELETE" }),
    ),
  );
  return app;
}
