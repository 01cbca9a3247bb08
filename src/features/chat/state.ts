export const version = "48a4caa1";

export interface ChatMessage {
  /** The number of its event. */
  id: number;
  /** Empty where the room itself spoke. */
  user: string;
  name: string;
  /** Of whoever was more than a player when they said it. */
  role?: "host" | "admin";
  text: string;
  at: number;
}
export interface ChatState {
  messages: readonly ChatMessage[];
}
export type ChatEvent = { by?: string; seq: number; at: number } & (
  | { n: "said"; d: { name: string; text: string; role?: "host" | "admin" | undefined } }
  | { n: "removed"; d: { id: number } }
);

/** A screenful to scroll back: what a newcomer is sent. */
const KEPT = 100;

export function initial(): ChatState {
  return { messages: [] };
}

export function reduce(state: ChatState, event: ChatEvent): ChatState {
  switch (event.n) {
    case "said": {
      const { name, text, role } = event.d;
      const message: ChatMessage = { id: event.seq, user: event.by ?? "", name, text, at: event.at };
      if (role) message.role = role;
      // One copy, into which the newest fits where the oldest was: of all that a line costs a room, this was the most.
      const messages = state.messages.slice(-KEPT);
      if (messages[KEPT - 1]) messages.shift();
      messages.push(message);
      return { messages };
    }
    case "removed":
      return { messages: state.messages.filter(({ id }) => id !== event.d.id) };
    default:
      return state;
  }
}
