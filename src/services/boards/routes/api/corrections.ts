import { z } from "zod";
import {
  board,
  noQuery,
  number,
  period,
  points,
  time,
  user,
  userParams,
  wholeNumber,
} from "../../../../edge/http/fields";
import type { Operation } from "../../../../edge/http/operation";
import { MAX_OP_ID_CHARS } from "../../../../protocol/limits";
import { text } from "../../../../protocol/schema/fields";

const ONE_MOVE = "must have one of set, add and remove";
export const correctionBody = z
  .strictObject({
    id: text(1, MAX_OP_ID_CHARS)
      .optional()
      .describe("The caller's own: the same request sent again under it is made once, and answered the same"),
    board,
    user,
    periods: z
      .array(period, { error: "must be a list of periods" })
      .min(1, { error: "must name one period at least" })
      .max(20, { error: "may name 20 periods at most" })
      .optional()
      .describe("With `remove` it may be absent: every period in which the player stands"),
    reason: text(1, 200).describe("Kept in the log"),
    set: points.optional().describe("The points that the player is to have"),
    tie: points.optional().describe("With `set`: the second column, which is else left as it is"),
    add: points
      .refine((value) => value !== 0, { error: "must not be 0" })
      .optional()
      .describe("More, or less than 0"),
    remove: z.literal(true).optional().describe("Off the ranking"),
  })
  .refine((body) => [body.set, body.add, body.remove].filter((one) => one !== undefined).length === 1, {
    error: ONE_MOVE,
  })
  .refine(({ periods, remove }) => periods !== undefined || remove === true, {
    path: ["periods"],
    error: "must name the periods",
  })
  .refine(({ tie, set }) => tie === undefined || set !== undefined, {
    path: ["tie"],
    error: "goes with set",
  });
export const correctionsQuery = z.strictObject({
  user: user.optional(),
  board: board.optional(),
  limit: wholeNumber(1, 100, 50).describe("How many"),
  cursor: number.optional().describe("From the page before"),
});
export const correctionSchema = z
  .strictObject({
    id: z.int(),
    at: time,
    by: z.string().describe("Empty where that person was erased; so is `user`, with the reason"),
    board: z.string(),
    period: z.string(),
    user: z.string(),
    before: points.nullable().describe("null: was not ranked"),
    after: points.nullable().describe("null: is no longer ranked"),
    reason: z.string(),
  })
  .meta({ id: "Correction", description: "A line of the log" });
const rankingFields = { board: z.string(), period: z.string() };
export const userExportSchema = z
  .strictObject({
    user: z.string(),
    name: z.string().optional().describe("Borne when they last scored"),
    erasedAt: time.optional(),
    scores: z.array(
      z.strictObject({ ...rankingFields, name: z.string(), points, tie: points.optional(), reachedAt: time }),
    ),
    bans: z.array(
      z.strictObject({
        scope: z.string(),
        reason: z.string().optional(),
        at: time,
        untilMs: z.int().optional(),
      }),
    ),
    aside: z.array(z.strictObject({ room: z.string(), at: time, reason: z.string(), entry: z.unknown() })),
    corrections: z.array(
      z.strictObject({
        ...rankingFields,
        at: time,
        before: points.nullable(),
        after: points.nullable(),
        reason: z.string(),
      }),
    ),
    did: z
      .strictObject({
        bans: z.array(z.strictObject({ scope: z.string(), at: time })),
        corrections: z.array(z.strictObject({ ...rankingFields, at: time })),
      })
      .describe("What they did themselves, without to whom"),
  })
  .meta({ id: "Person", description: "All that rests of a person" });
const erasureSchema = z.strictObject({
  erased: z.literal(true),
  rankings: z.int().min(0).describe("Rankings that they are no longer on"),
  aside: z.int().min(0).describe("Entries set aside that are no longer kept"),
  bans: z.int().min(0).describe("Bans that hold on"),
});

export const correctionOperations: readonly Operation[] = [
  {
    id: "correctPoints",
    method: "post",
    path: "/v1/corrections",
    tag: "By hand",
    summary: "Correct or remove a player's points",
    about:
      "`set`, `add` or `remove`, on the rankings that are named, with a reason. What a room itself shows is the room's, and not changed. To add keeps what is awarded meanwhile; to set replaces it. 404 for somebody who never scored.",
    who: "admin",
    query: noQuery,
    body: correctionBody,
    answers: {
      200: {
        about: "What was changed, a line a ranking; none where nothing was",
        schema: z.strictObject({ corrections: z.array(correctionSchema) }),
      },
    },
  },
  {
    id: "listCorrections",
    method: "get",
    path: "/v1/corrections",
    tag: "By hand",
    summary: "What was corrected, by whom and why",
    about: "The newest first.",
    who: "admin",
    query: correctionsQuery,
    answers: {
      200: {
        about: "A page of the log",
        schema: z.strictObject({ corrections: z.array(correctionSchema), cursor: z.string().optional() }),
      },
    },
  },
  {
    id: "exportPerson",
    method: "get",
    path: "/v1/users/{user}",
    tag: "By hand",
    summary: "All that rests of a person",
    about: "For an admin, and for everybody about themselves. 404 where nothing does.",
    who: "self",
    params: userParams,
    query: noQuery,
    answers: { 200: { about: "Scores, bans, corrections, what was set aside", schema: userExportSchema } },
  },
  {
    id: "erasePerson",
    method: "delete",
    path: "/v1/users/{user}",
    tag: "By hand",
    summary: "Erase a person",
    about:
      "From every ranking, the log, what was set aside, and batches still on their way. Bans hold on, without their reason. Whoever plays on is new.",
    who: "admin",
    params: userParams,
    query: noQuery,
    answers: { 200: { about: "What was erased", schema: erasureSchema } },
  },
  {
    id: "exportNamed",
    method: "get",
    path: "/v1/users",
    tag: "By hand",
    summary: "All that rests of a person who is named by a parameter",
    about: "As with the user in the address, which `.` and `..` cannot stand in.",
    who: "self",
    query: userParams,
    answers: { 200: { about: "Scores, bans, corrections, what was set aside", schema: userExportSchema } },
  },
  {
    id: "eraseNamed",
    method: "delete",
    path: "/v1/users",
    tag: "By hand",
    summary: "Erase a person who is named by a parameter",
    who: "admin",
    query: userParams,
    answers: { 200: { about: "What was erased", schema: erasureSchema } },
  },
];
