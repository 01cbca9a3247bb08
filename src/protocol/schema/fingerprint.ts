import { z } from "zod";
import { canonical, crc32 } from "../checksum";
import { down } from "./down";
import { up } from "./up";

/** Changes when the wire does. A test holds it to the version that it was written down with. */
export function wireFingerprint(): string {
  return fingerprint([up, down].map(asJson));
}

/** A feature's version: its schemas, and the text of its `state.ts` without the line that bears the version. */
export function featureFingerprint(schema: object, source: string): string {
  const rules = Object.entries(schema).map(([what, schemas]) => [
    what,
    Object.entries(schemas as object).map(([name, held]) => [name, asJson(held)]),
  ]);
  return fingerprint([rules, source.replace(/^export const version = .*$/m, "")]);
}

function asJson(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { unrepresentable: "any", io: "input" });
}

function fingerprint(value: unknown): string {
  return crc32(canonical(value)).toString(16).padStart(8, "0");
}
