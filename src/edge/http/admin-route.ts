import type { CloudflareEnv } from "../../platforms/cloudflare";
import { ReadLimitReached } from "../../services/boards/routes/read-limit";
import type { Gateway } from "../gateway";
import { rejectionResponse } from "./http-rejection";

export type GatewayOf = (env: CloudflareEnv) => Gateway;

const AWAY_RETRY_MS = 5_000;

/** Who asks is judged before what is asked; a database that is away is told as such. */
export async function withAdmin(
  gatewayOf: GatewayOf,
  env: CloudflareEnv,
  request: Request,
  work: (by: string, now: number) => Promise<Response>,
): Promise<Response> {
  const admin = await gatewayOf(env).authorizeAdmin(request);
  return admin.ok ? withDatabaseErrors(() => work(admin.user, Date.now())) : rejectionResponse(admin);
}

export async function withDatabaseErrors(work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ReadLimitReached) return rejectionResponse(error.rejection);
    console.error("The database could not be reached:", error);
    return databaseAway("What was asked may have been done, or a part of it, or nothing.");
  }
}

/** `outcome`: what is known of what was asked. */
export function databaseAway(outcome: string): Response {
  const message = `The database did not answer. ${outcome}`;
  const body = { code: "unavailable" as const, message, retryAfterMs: AWAY_RETRY_MS };
  return rejectionResponse({ ok: false, status: 503, body });
}

/** For one reader, and as it is now. */
export function uncachedJson(body: unknown): Response {
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}
