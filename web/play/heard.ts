import type { Ack, Bye, Frame, Nack, Welcome } from "../../src/protocol/messages";

/** The messages of a room that this page acts upon. */
export type Heard = Welcome | Frame | Ack | Nack | Bye;

const types: ReadonlySet<unknown> = new Set<Heard["t"]>(["welcome", "frame", "ack", "nack", "bye"]);

/** A client ignores what it does not know. The rest of a known message is taken at the room's word: it is our own server. */
export function readDown(text: string): Heard | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isHeard(value) ? value : undefined;
}

function isHeard(value: unknown): value is Heard {
  return typeof value === "object" && value !== null && "t" in value && types.has(value.t);
}
