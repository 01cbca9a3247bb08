import type { NumberedEvent, WireSignal } from "../protocol/messages";
import type { ActionError } from "./action-error";
import type { Status } from "./session/session";
import type { Verification } from "./session/verification";

/** The topics of a visit beside those of its features. */
export interface RoomEvents {
  status: Status;
  /** Any event of any feature. `chat.said` is the topic of one event. */
  event: NumberedEvent;
  signal: WireSignal;
  /** The state was replaced by the room's. The events that led to it are not reported. */
  fresh: undefined;
  /** An action of this user was rejected, or its outcome is unknown. */
  refused: ActionError;
  /** The state differs from the room's, because a reducer is not pure. It is being fetched again. */
  differs: Verification;
}
