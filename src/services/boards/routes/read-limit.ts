import type { HttpRejection } from "../../../edge/http/http-rejection";

/** Returns the rejection of an address that has read too much, caused too many reads of the database, or opened too many live streams. */
export type CheckReadLimit = (
  request: Request,
  rule: "read" | "readMiss" | "live",
) => Promise<HttpRejection | undefined>;
