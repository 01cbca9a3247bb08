import { Hono } from "hono";
import type { BoardBook } from "../boards/board-book";
import { erase } from "../boards/erasure";
import { readPerson } from "../boards/person";
import { keeperOf } from "../platform/bans/banned-address";
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

  app.on("GET", ["/", "/:user"], async ({ req, env }) => {
    const params = readUser(req.raw, req.param("user"));
    const caller = await doorOf(env).self(req.raw, params.ok ? params.value.user : "");
    if (!caller.ok) return refusalResponse(caller);
    if (!params.ok) return refusalResponse(params);
    return whileReached(async () => {
      const person = await readPerson(env.DB, book, params.value.user);
      return person
        ? tell(person)
        : refusalResponse(refuseHttp(404, "not_found", "Nothing is kept of that user."));
    });
  });
  app.on("DELETE", ["/", "/:user"], ({ req, env }) =>
    asAdmin(doorOf, env, req.raw, async (_, now) => {
      const params = readUser(req.raw, req.param("user"));
      if (!params.ok) return refusalResponse(params);
      const { boards, ...erased } = await erase(env.DB, params.value.user, now);
      // Of their bans the reason is gone.
      await keeperOf(env)?.reread(params.value.user);
      await changedBoards(book, boards, now);
      return tell({ erased: true, ...erased });
    }),
  );
  const refuseMethod = () =>
    refusalResponse(
      refuseHttp(405, "bad_action", "A user answers GET and DELETE.", { Allow: "GET, DELETE" }),
    );
  app.all("/", refuseMethod);
  app.all("/:user", refuseMethod);
  return app;
}

/** From the address, or from the parameter: `.` and `..` are no names in an address. */
function readUser(request: Request, named: string | undefined) {
  if (named === undefined) return readQuery(request, userParams);
  const params = readParams({ user: named }, userParams);
  const query = readQuery(request, noQuery);
  return params.ok && !query.ok ? query : params;
}
