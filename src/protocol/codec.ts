import { guardJson, guardText } from "./json-guard";
import { MAX_MESSAGE_BYTES, MAX_OP_ID_CHARS } from "./limits";
import type { Json, Up } from "./messages";

export type Decoded =
  | { ok: true; message: Up }
  | { ok: false; tooLarge: boolean; problem: string; id?: string; signal?: boolean };

/**
 * A client's text to a message. Written by hand, since every message of every room passes here; the schemas beside it
 * say the same in zod, and a test holds the two together. The data of an action is its feature's to check.
 */
export function decode(text: unknown): Decoded {
  if (typeof text !== "string") return refuse("Messages are JSON in text; this one was binary.");
  if (exceeds(text, MAX_MESSAGE_BYTES)) {
    return { ok: false, tooLarge: true, problem: `A message may have ${MAX_MESSAGE_BYTES} bytes at most.` };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse("That is not JSON.");
  }
  if (!isObject(value)) return refuse("A message is one JSON object.");
  const id = isOpId(value.id) ? value.id : undefined;
  const problem = guardJson(value);
  if (problem) return refuse(problem, id, value.t === "sig");
  switch (value.t) {
    case "do":
      if (id === undefined) {
        return refuse(`\`id\` must be a string of 1 to ${MAX_OP_ID_CHARS} characters.`);
      }
      if (!isName(value.f) || !isName(value.a)) {
        return refuse("`f` and `a` must name a feature and its action.", id);
      }
      return { ok: true, message: { t: "do", id, f: value.f, a: value.a, d: json(value.d) } };
    case "sig":
      if (!isName(value.f) || !isName(value.n)) {
        return refuse("`f` and `n` must name a feature and its signal.", id, true);
      }
      return { ok: true, message: { t: "sig", f: value.f, n: value.n, d: json(value.d) } };
    case "seen":
      if (!isCount(value.seq)) return refuse("`seq` must be a whole number, 0 or more.");
      if (value.m === undefined) return { ok: true, message: { t: "seen", seq: value.seq } };
      if (!isName(value.m)) return refuse("`m` must be the mark of a frame.");
      return { ok: true, message: { t: "seen", seq: value.seq, m: value.m } };
    case "clock":
      if (typeof value.t0 !== "number") return refuse("`t0` must be a number.");
      return { ok: true, message: { t: "clock", t0: value.t0 } };
    case "verify":
      return { ok: true, message: { t: "verify" } };
    default:
      return refuse("`t` must be one of do, sig, seen, clock, verify.", id);
  }
}

/** UTF-8 length, counted without encoding. */
export function byteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit < 0xe000)
      bytes += 1; // a pair is four bytes in two units
    else bytes += 2;
  }
  return bytes;
}

/** Lengths on the wire are in code points. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00) count--;
  }
  return count;
}

export function isOpId(value: unknown): value is string {
  return (
    typeof value === "string" &&
    value.length > 0 &&
    value.length <= MAX_OP_ID_CHARS * 2 &&
    codePoints(value) <= MAX_OP_ID_CHARS &&
    guardText(value) === undefined
  );
}

export function hasControl(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
  return /[\u0000-\u001f\u007f-\u009f]/.test(text);
}

function exceeds(text: string, bytes: number): boolean {
  if (text.length > bytes) return true;
  return text.length * 3 > bytes && byteLength(text) > bytes;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 128 && codePoints(value) <= 64;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Absent data is the empty object: `typing` and `start` carry none. What arrives here has passed `guardJson`. */
function json(value: unknown): Json {
  return value === undefined ? {} : (value as Json);
}

function refuse(problem: string, id?: string, signal = false): Decoded {
  return {
    ok: false,
    tooLarge: false,
    problem,
    ...(id === undefined ? {} : { id }),
    ...(signal ? { signal } : {}),
  };
}
