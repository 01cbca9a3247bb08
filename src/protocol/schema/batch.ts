import { z } from "zod";
import { BATCH_VERSION, QUARTER_MS } from "../batch";
import { MAX_BATCH_ENTRIES, MAX_NAME_CHARS, MAX_POINTS, MAX_TIME_MS, MAX_USER_CHARS } from "../limits";
import { text } from "./fields";

const points = z.int().min(-MAX_POINTS).max(MAX_POINTS);
const time = z.int().min(0).max(MAX_TIME_MS);

/** One entry. What is not one is set aside by itself: it does not stop the others. */
export const batchEntrySchema = z
  .strictObject({
    board: text(1, 32),
    user: text(1, MAX_USER_CHARS),
    name: text(1, MAX_NAME_CHARS),
    points,
    tie: points.optional(),
    firstAt: time,
    lastAt: time,
    seq: z.int().min(0),
  })
  .refine(({ firstAt, lastAt }) => firstAt <= lastAt, { path: ["lastAt"], error: "is before firstAt" })
  .refine(({ firstAt, lastAt }) => Math.floor(firstAt / QUARTER_MS) === Math.floor(lastAt / QUARTER_MS), {
    path: ["lastAt"],
    error: "must be in the same quarter of an hour as firstAt",
  });

/** The envelope, without which nobody can tell whose batch it is. */
export const batchSchema = z.strictObject({
  v: z.literal(BATCH_VERSION),
  room: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}\/(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/, { error: "must be kind/id" }),
  epoch: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, { error: "must be 1 to 64 letters, digits, _ and -" }),
  n: z.int().min(1),
  ownOnly: z.literal(true).optional(),
  closing: z.literal(true).optional(),
  entries: z.array(z.unknown()).max(MAX_BATCH_ENTRIES),
});

/** Without the keys that a schema leaves at `undefined`. */
export function readBatch({ ownOnly, closing, ...batch }: z.infer<typeof batchSchema>) {
  return { ...batch, ...(ownOnly ? { ownOnly } : {}), ...(closing ? { closing } : {}) };
}

const refused = z.array(z.string());
/** Whatever more a newer worker says is passed over. */
export const batchAnswerSchema = z.union([
  z.object({ applied: z.literal(true), refused }),
  z.object({ applied: z.literal(false), reason: z.literal("duplicate"), refused }),
  z.object({ applied: z.literal(false), reason: z.literal("gap"), expected: z.int().min(1) }),
]);
