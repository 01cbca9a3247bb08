import { z } from "zod";
import { closeCodes, errorCodes, roles } from "../codes";

const seq = z.int().nonnegative();
const at = z.number();
const rate = z.object({ count: z.int().positive(), perMs: z.number().positive() });
const byName = <T extends z.ZodType>(value: T) => z.record(z.string(), value);
const event = z.object({
  f: z.string(),
  n: z.string(),
  d: z.json(),
  by: z.string().optional(),
  op: z.string().optional(),
});
const signal = z.object({ f: z.string(), n: z.string(), d: z.json(), by: z.string() });

/** What a room may say. Tests read every message of a run with it. */
export const down = z.discriminatedUnion("t", [
  z.object({
    t: z.literal("welcome"),
    v: z.int(),
    room: z.object({ kind: z.string(), id: z.string() }),
    you: z.object({
      user: z.string(),
      name: z.string(),
      role: z.enum(roles),
      conn: z.string(),
      token: z.string().optional(),
    }),
    epoch: z.string(),
    seq,
    at,
    resumed: z.boolean(),
    features: byName(z.string()),
    state: byName(z.json()).optional(),
    mine: byName(z.json()).optional(),
    feeds: z.array(z.string()).optional(),
    limits: z.object({
      maxBytes: z.int(),
      resendMs: z.int(),
      recoveryMs: z.int(),
      pingMs: z.int(),
      silentMs: z.int(),
      rules: byName(rate),
    }),
  }),
  z.object({
    t: z.literal("frame"),
    seq,
    at,
    e: z.array(event),
    s: z.array(signal).optional(),
    m: z.string().optional(),
  }),
  z.object({ t: z.literal("mine"), f: z.string(), d: z.json() }),
  z.object({ t: z.literal("ack"), id: z.string(), seq: seq.optional(), d: z.json().optional() }),
  z.object({
    t: z.literal("nack"),
    id: z.string().optional(),
    code: z.enum(errorCodes),
    message: z.string(),
    retryAfterMs: z.int().nonnegative().optional(),
    info: z
      .object({
        rule: z.string().optional(),
        limit: rate.optional(),
        issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
      })
      .optional(),
  }),
  z.object({ t: z.literal("clock"), t0: z.number(), t1: z.number(), t2: z.number() }),
  z.object({ t: z.literal("checksum"), seq, sums: byName(z.string().regex(/^[0-9a-f]{8}$/)) }),
  z.object({
    t: z.literal("bye"),
    code: z.union(Object.values(closeCodes).map((code) => z.literal(code))),
    reason: z.string(),
    retryAfterMs: z.int().nonnegative().optional(),
  }),
]);
