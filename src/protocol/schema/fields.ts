import { z } from "zod";
import { byteLength, codePoints } from "../codec";
import { guardText, isJson } from "../json-guard";
import type { Json } from "../messages";

/** Text of so many code points, of whole characters and without U+0000. */
export function text(least: number, most: number) {
  return z
    .string()
    .meta({ minCodePoints: least, maxCodePoints: most })
    .refine((value) => guardText(value) === undefined, { error: "must be well-formed text without U+0000" })
    .refine((value) => within(codePoints(value), least, most), {
      error: least === 0 ? `may have ${most} characters at most` : `must have ${least} to ${most} characters`,
    });
}

/** Any JSON whose text is no longer than so many bytes. */
export function jsonWithin(bytes: number) {
  return z
    .custom<Json>((value) => isJson(value) && byteLength(JSON.stringify(value)) <= bytes, {
      error: `must be JSON of ${bytes} bytes at most`,
    })
    .meta({ maxBytes: bytes });
}

function within(count: number, least: number, most: number): boolean {
  return count >= least && count <= most;
}
