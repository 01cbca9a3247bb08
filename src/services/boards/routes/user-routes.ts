import { Hono } from "hono";
import {
  type AuthorizeAdmin,
  type AuthorizeSelf,
  uncachedJson,
  withAdmin,
  withDatabaseErrors,
} from "../../../edge/http/admin-route";
import { noQuery, userParams } from "../../../edge/http/fields";
import { rejectHttp, rejectionResponse } from "../../../edge/http/http-rejection";
import { readParams, readQuery } from "../../../edge/http/validate";
import type { BoardsEnv } from "../env";
import type { BoardRegistry } from "../store/board-registry";
import { eraseUser } from "../store/erasure";
import { exportUser } from "../store/user-export";
import { invalidateBoards } from "./invalidate";

/**
 * All stored data of a user: exported by that user or an admin, erased by an admin. `onErased` runs after an erasure, which
 * changes tables of other services too.
 */
export function userRoutes(
  authorizeAdmin: AuthorizeAdmin,
  authorizeSelf: AuthorizeSelf,
  registry: BoardRegistry,
  onErased: (user: string) => Promise<void>,
) {
  const app = new Hono<{ Bindings: BoardsEnv }>();

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
      await onErased(params.value.user);
      await invalidateBoards(registry, boards, now);
      return uncachedJson({ erased: true, ...erased });
    }),
  );
  const rejectMethod = () =>
    rejectionResponse(
      rejectHttp(405, "bad_action", "A user answers GET and DELETE.", { Allow: "GET, DELETE" }),
    );
  app.all("/", rejectMethod);
  app.all("/:user", rejectMethod);
  return app;
}

/** The user in the path or in the query parameter: a path cannot contain `.` or `..` as a name. */
function readUser(request: Request, named: string | undefined) {
  if (named === undefined) return readQuery(request, userParams);
  const params = readParams({ user: named }, userParams);
  const query = readQuery(request, noQuery);
  return params.ok && !query.ok ? query : params;
}
