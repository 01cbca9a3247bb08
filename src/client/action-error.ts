import type { Nack } from "../protocol/messages";
import type { ActionErrorCode, Rejection } from "./session/outcome";

/** Why an action was not done, or that its outcome is unknown (`unknown_outcome`). */
export class ActionError extends Error {
  override readonly name = "ActionError";
  declare readonly code: ActionErrorCode;
  /** How long to wait before the next attempt. */
  declare readonly retryAfterMs: number | undefined;
  /** The rule and its limit, or what is wrong with the data. */
  declare readonly info: Nack["info"];

  constructor(
    /** The action's id. */
    readonly id: string,
    { code, message, retryAfterMs, info }: Rejection,
  ) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.info = info;
  }
}
