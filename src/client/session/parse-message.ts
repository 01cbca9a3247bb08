import type { Down } from "../../protocol/messages";

/** Returns undefined for a message that is unknown (M5) or cannot be parsed: the client ignores it. */
export function parseMessage(text: string): Down | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isServerMessage(value) ? value : undefined;
}

/** Checks the fields that the client relies on. The rest is taken as the room sends it. */
function isServerMessage(value: unknown): value is Down {
  if (!isRecord(value)) return false;
  const {
    t,
    seq,
    e,
    s = [],
    you,
    features,
    limits,
    sums,
    code,
    f,
    retryAfterMs = 0,
  } = value as Readonly<Record<string, unknown>>;
  // Arithmetic with anything else would make the pause zero.
  if (!isNumber(retryAfterMs)) return false;
  switch (t) {
    case "frame":
      return isNumber(seq) && Array.isArray(e) && Array.isArray(s);
    case "welcome":
      return isNumber(seq) && [you, features, limits].every(isRecord);
    case "checksum":
      return isRecord(sums);
    case "mine":
      return typeof f === "string";
    case "bye":
      return isNumber(code);
    default:
      return t === "ack" || t === "nack" || t === "clock";
  }
}

function isNumber(value: unknown): boolean {
  return typeof value === "number";
}

function isRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
