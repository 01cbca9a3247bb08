import type { ErrorCode } from "../../protocol/codes";
import type { Json, Nack, NumberedEvent } from "../../protocol/messages";

/**
 * `timeout`: it was never sent, and will not be. `unknown_outcome`: it was sent, no answer came, and it is too late to ask
 * again without the risk of doing it twice.
 */
export type ActionErrorCode = ErrorCode | "timeout" | "unknown_outcome";

export type Refusal = Pick<Nack, "message" | "retryAfterMs" | "info"> & { code: ActionErrorCode };

/** How an action ended. */
export type Outcome =
  | { is: "event"; event: NumberedEvent }
  | { is: "answer"; seq: number | undefined; d: Json | undefined }
  | { is: "refused"; refusal: Refusal };

/** Of an id that is its own: whatever is asked under it, asks again. */
export const UNDER_WAY: Refusal = { code: "duplicate", message: "An action of this id is under way." };

export function refused(code: ActionErrorCode, message: string): Outcome {
  return { is: "refused", refusal: { code, message } };
}

export const UNKNOWN_OUTCOME = refused("unknown_outcome", "No answer came in time: it may have been done.");
export const TIMEOUT = refused("timeout", "The room could not be reached in time: it was not done.");
