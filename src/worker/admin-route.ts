import type { CloudflareEnv } from "../platform/cloudflare";
import type { Door } from "../platform/edge/door";
import { refusalResponse } from "../platform/edge/http-refusal";
import { TooManyMisses } from "./may-read";

export type DoorOf = (env: CloudflareEnv) => Door;

const AWAY_RETRY_MS = 5_000;

/** Who asks is judged before what is asked; a database that is away is told as such. */
export async function asAdmin(
  doorOf: DoorOf,
  env: CloudflareEnv,
  request: Request,
  work: (by: string, now: number) => Promise<Response>,
): Promise<Response> {
  const admin = await doorOf(env).admin(request);
  return admin.ok ? whileReached(() => work(admin.user, Date.now())) : refusalResponse(admin);
}

export async function whileReached(work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TooManyMisses) return refusalResponse(error.refusal);
    console.error("The database could not be reached:", error);
    return databaseAway("What was asked may have been done, or a part of it, or nothing.");
  }
}

/** `outcome`: what is known of what was asked. */
export function databaseAway(outcome: string): Response {
  const message = `The database did not answer. ${outcome}`;
  const body = { code: "unavailable" as const, message, retryAfterMs: AWAY_RETRY_MS };
  return refusalResponse({ ok: false, status: 503, body });
}

/** For one reader, and as it is now. */
export function tell(body: unknown): Response {
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}
