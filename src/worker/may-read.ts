import { NotAdmitted } from "../platform/answers/answer-cache";
import type { CloudflareEnv } from "../platform/cloudflare";
import type { HttpRefusal } from "../platform/edge/http-refusal";

/** Whether whoever asks has not asked too much, had the database asked too much, or opened too many live streams. */
export type MayRead = (
  env: CloudflareEnv,
  request: Request,
  rule: "read" | "readMiss" | "live",
) => Promise<HttpRefusal | undefined>;

/** Somebody who would have had the database asked once too often. */
export class TooManyMisses extends NotAdmitted {
  constructor(readonly refusal: HttpRefusal) {
    super(refusal.body.message);
  }
}
