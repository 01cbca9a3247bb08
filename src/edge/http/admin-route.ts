import { type HttpRejection, rejectionResponse } from "./http-rejection";
import { RejectionError } from "./rejection-error";

/** The user who made a request, once authorized. */
export type CallerResult = { ok: true; user: string } | HttpRejection;

/** Authorizes an admin of the deployment. */
export type AuthorizeAdmin = (request: Request) => Promise<CallerResult>;

/** Authorizes this user, or an admin of the deployment. */
export type AuthorizeSelf = (request: Request, user: string) => Promise<CallerResult>;

const AWAY_RETRY_MS = 5_000;

/** Runs `work` for an admin. The caller is authorized before the request is read; a failing database becomes a 503. */
export async function withAdmin(
  authorizeAdmin: AuthorizeAdmin,
  request: Request,
  work: (by: string, now: number) => Promise<Response>,
): Promise<Response> {
  const admin = await authorizeAdmin(request);
  return admin.ok ? withDatabaseErrors(() => work(admin.user, Date.now())) : rejectionResponse(admin);
}

export async function withDatabaseErrors(work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RejectionError) return rejectionResponse(error.rejection);
    console.error("The database could not be reached:", error);
    return databaseAway("The request may have been carried out in full, in part, or not at all.");
  }
}

/** `outcome`: what is known about the request's effect. */
export function databaseAway(outcome: string): Response {
  const message = `The database did not answer. ${outcome}`;
  const body = { code: "unavailable" as const, message, retryAfterMs: AWAY_RETRY_MS };
  return rejectionResponse({ ok: false, status: 503, body });
}

/** A response for one reader, true only at this moment. */
export function uncachedJson(body: unknown): Response {
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}
