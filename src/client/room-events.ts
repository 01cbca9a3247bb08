import type { NumberedEvent, WireSignal } from "../protocol/messages";
import type { ActionError } from "./action-error";
import type { Status } from "./session/session";
import type { Verification } from "./session/verification";

/** What happens to a visit, beside the room's events. */
export interface RoomEvents {
  status: Status;
  /** Any event, whatever the feature; `chat.said` and the like are told one by one. */
  event: NumberedEvent;
  signal: WireSignal;
  /** The state was taken as the room has it: what led there was not told event by event. */
  fresh: undefined;
  /** An action of one's own was refused, or nobody can tell what became of it. */
  refused: ActionError;
  /** Somebody's reducer is not pure: the state differs from the room's, and is being fetched anew. */
  differs: Verification;
}
