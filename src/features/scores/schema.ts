import { z } from "zod";
import { MAX_USER_CHARS } from "../../protocol/limits";
import { text } from "../../protocol/schema/fields";

/** Of one award: what a slip of a finger may cost. */
export const MAX_AWARD = 1_000_000;

const end = z.enum(["highest", "lowest"]);
/** Of a board that is not simply the most points first. */
const rule = z.object({ order: end.optional(), tie: end.optional() });

export const scoresSchema = {
  actions: {
    award: z.object({
      user: text(1, MAX_USER_CHARS),
      points: z.int().min(-MAX_AWARD).max(MAX_AWARD),
      tie: z.int().optional(),
      board: z.string().optional(),
    }),
  },
  events: {
    scored: z.object({
      board: z.string(),
      /** `seq`: of who moves up, for it was reached long before. */
      changes: z.array(
        z.object({
          user: z.string(),
          name: z.string(),
          total: z.number(),
          tie: z.number().optional(),
          seq: z.number().optional(),
        }),
      ),
      rule: rule.optional(),
    }),
    renamed: z.object({ user: z.string(), name: z.string() }),
    /** Whose points the scoreboard did not take, for they are banned: the first 200, and how many. */
    refused: z.object({ users: z.array(z.string()), count: z.number() }),
  },
  privateEvents: {
    /** An award as it turned out: where the player now stands here, and what is now owed for this quarter of an hour. */
    added: z.object({
      board: z.string(),
      user: z.string(),
      name: z.string(),
      stands: z.object({ total: z.number(), tie: z.number(), seq: z.number() }).optional(),
      owes: z
        .object({
          points: z.number(),
          tie: z.number().optional(),
          firstAt: z.number(),
          lastAt: z.number(),
          seq: z.number(),
        })
        .optional(),
      /** The quarter of an hour of this time owes nothing any more: a sum that came back to 0. */
      clears: z.number().optional(),
      /** Of this player's own awards, within the minute: by second. */
      own: z.array(z.tuple([z.number(), z.number()])).optional(),
    }),
    named: z.object({ user: z.string(), name: z.string() }),
    /** By when what is owed has to be on its way. */
    flushBy: z.object({ at: z.number().nullable() }),
    sealed: z.object({ n: z.number(), count: z.number(), closing: z.boolean() }),
    settled: z.object({}),
    renumbered: z.object({ n: z.number() }),
    reopened: z.object({}),
  },
};
