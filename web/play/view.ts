import type { Status, You } from "../../src/client/room-client";
import type { ChatState } from "../../src/features/chat/state";
import type { PresenceState } from "../../src/features/presence/state";
import type { Draft } from "./drafts";

/** All that the page shows. The features' states are shared: whoever finds one unchanged has nothing to redraw. */
export interface View {
  status: Status;
  you: You | undefined;
  chat: ChatState;
  presence: PresenceState;
  drafts: readonly Draft[];
  /** The draft that a message of one's own came from, by the message's number. */
  draftBySeq: ReadonlyMap<number, string>;
  typingUsers: readonly string[];
}
