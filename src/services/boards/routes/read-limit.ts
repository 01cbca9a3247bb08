import type { HttpRejection } from "../../../edge/http/http-rejection";
import type { CloudflareEnv } from "../../../platforms/cloudflare";
import { FetchRejected } from "../cache/board-cache";

/** Whether whoever asks has not asked too much, had the database asked too much, or opened too many live streams. */
export type CheckReadLimit = (
  env: CloudflareEnv,
  request: Request,
  rule: "read" | "readMiss" | "live",
) => Promise<HttpRejection | undefined>;

/** Somebody who would have had the database asked once too often. */
export class ReadLimitReached extends FetchRejected {
  constructor(readonly rejection: HttpRejection) {
    super(rejection.body.message);
  }
}
