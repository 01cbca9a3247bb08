import { z } from "zod";
import { guardJson } from "../json-guard";
import type { Json } from "../messages";
import { text } from "./fields";

// Data stands one level deep in its message.
const json = z
  .custom<Json>((value) => guardJson(value, 1) === undefined, { error: "must be JSON" })
  .default({});
const named = text(1, 64);

/** An action; over HTTP it stands alone. */
export const doSchema = z.object({ t: z.literal("do"), id: text(1, 64), f: named, a: named, d: json });

/** What a client may say. `codec.ts` decodes the same by hand; a test holds the two together. */
export const up = z.discriminatedUnion("t", [
  doSchema,
  z.object({ t: z.literal("sig"), f: named, n: named, d: json }),
  z.object({ t: z.literal("seen"), seq: z.int().nonnegative(), m: named.optional() }),
  z.object({ t: z.literal("clock"), t0: z.number() }),
  z.object({ t: z.literal("verify") }),
]);
