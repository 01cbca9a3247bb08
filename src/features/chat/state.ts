export const version = "7c76ac75";

export interface ChatMessage {
  /** The number of its event. */
  id: number;
  /** Empty where the room itself spoke. */
  user: string;
  name: string;
  text: string;
  at: number;
}
export interface ChatState {
  messages: readonly ChatMessage[];
}
export type ChatEvent = { by?: string; seq: number; at: number } & (
  | { n: "said"; d: { name: string; text: string } }
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
      const { name, text } = event.d;
      const message = { id: event.seq, user: event.by ?? "", name, text, at: event.at };
      return { messages: [...state.messages.slice(1 - KEPT), message] };
    }
    case "removed":
      return { messages: state.messages.filter(({ id }) => id !== event.d.id) };
    default:
      return state;
  }
}
