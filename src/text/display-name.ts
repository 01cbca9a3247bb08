import { codePoints, hasControl } from "../protocol/codec";
import { MAX_NAME_CHARS } from "../protocol/limits";

export function isDisplayName(value: unknown): value is string {
  return (
    typeof value === "string" &&
    value.length > 0 &&
    codePoints(value) <= MAX_NAME_CHARS &&
    value.isWellFormed() &&
    !hasControl(value)
  );
}

/** Removes what nobody can type: control characters and lone surrogates. The result may be empty. */
export function cleanName(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}]/gu, "").trim();
}

/** By code points, so that no emoji is cut in half. */
export function cutName(text: string): string {
  return codePoints(text) <= MAX_NAME_CHARS ? text : [...text].slice(0, MAX_NAME_CHARS).join("").trimEnd();
}
