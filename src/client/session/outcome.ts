import type { ErrorCode } from "../../protocol/codes";
import type { Json, Nack, NumberedEvent } from "../../protocol/messages";

/**
 * `timeout`: it was never sent, and will not be. `unknown_outcome`: it was sent, no answer came, and it is too late to ask
 * again without the risk of doing it twice.
 */
export type ActionErrorCode = ErrorCode | "timeout" | "unknown_outcome";

export type Rejection = Pick<Nack, "message" | "retryAfterMs" | "info"> & { code: ActionErrorCode };

/** How an action ended. */
export type Outcome =
  | { is: "event"; event: NumberedEvent }
  | { is: "answer"; seq: number | undefined; d: Json | undefined }
  | { is: "refused"; refusal: Rejection };

/** The action with this id has no outcome yet, so a second one cannot be told from it. */
export const IN_FLIGHT: Rejection = { code: "duplicate", message: "Already in flight." };

export function toRejection(code: ActionErrorCode, message: string): Outcome {
  return { is: "refused", refusal: { code, message } };
}

export const UNKNOWN_OUTCOME = toRejection("unknown_outcome", "No answer in time: it may have been done.");
export const TIMEOUT = toRejection("timeout", "No answer in time: it was not done.");
