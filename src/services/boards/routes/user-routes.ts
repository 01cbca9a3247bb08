import { Hono } from "hono";
import {
  type AuthorizeAdmin,
  type AuthorizeSelf,
  uncachedJson,
  withAdmin,
  withDatabaseErrors,
} from "../../../edge/http/admin-route";
import { rejectHttp, rejectionResponse } from "../../../edge/http/http-rejection";
import { readParams, readQuery } from "../../../edge/http/validate";
import type { BansEnv } from "../../bans/env";
import { openBanService } from "../../bans/open-ban-service";
import type { BoardsEnv } from "../env";
import type { BoardRegistry } from "../store/board-registry";
import { eraseUser } from "../store/erasure";
import { exportUser } from "../store/user-export";
import { noQuery } from "./api/boards";
import { userParams } from "./api/corrections";
import { invalidateBoards } from "./invalidate";

/** What rests of a person: told to them or an admin, erased by an admin. */
export function userRoutes(
  authorizeAdmin: AuthorizeAdmin,
  authorizeSelf: AuthorizeSelf,
  registry: BoardRegistry,
) {
  const app = new Hono<{ Bindings: BoardsEnv & BansEnv }>();

  app.on("GET", ["/", "/:user"], async ({ req, env }) => {
    const params = readUser(req.raw, req.param("user"));
    const caller = await authorizeSelf(req.raw, params.ok ? params.value.user : "");
    if (!caller.ok) return rejectionResponse(caller);
    if (!params.ok) return rejectionResponse(params);
    return withDatabaseErrors(async () => {
      const userExport = await exportUser(env.DB, registry, params.value.user);
      return userExport
        ? uncachedJson(userExport)
        : rejectionResponse(rejectHttp(404, "not_found", "Nothing is kept of that user."));
    });
  });
  app.on("DELETE", ["/", "/:user"], ({ req, env }) =>
    withAdmin(authorizeAdmin, req.raw, async (_, now) => {
      const params = readUser(req.raw, req.param("user"));
      if (!params.ok) return rejectionResponse(params);
      const { boards, ...erased } = await eraseUser(env.DB, params.value.user, now);
      // Of their bans the reason is gone.
      await openBanService(env)?.reread(params.value.user);
      await invalidateBoards(registry, boards, now);
      return uncachedJson({ erased: true, ...erased });
    }),
  );
  const refuseMethod = () =>
    rejectionResponse(
      rejectHttp(405, "bad_action", "A user answers GET and DELETE.", { Allow: "GET, DELETE" }),
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
