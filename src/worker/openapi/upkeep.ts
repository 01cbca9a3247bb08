import { z } from "zod";
import { number, time, user, wholeNumber } from "../../edge/http/fields";
import type { Operation } from "../../edge/http/operation";
import { text } from "../../protocol/schema/fields";
import { noQuery } from "../../services/boards/routes/api/boards";
import { userParams } from "../../services/boards/routes/api/corrections";

export const deadLetterParams = z.strictObject({ number: number.describe("Its number") });
const ZERO_OR_ONE = "must be 0 or 1";
export const deadLetterQuery = z.strictObject({
  cursor: number.optional().describe("From the page before"),
  applied: z.enum(["0", "1"], { error: ZERO_OR_ONE }).optional().describe("1: with those that were applied"),
});
export const deadLetterBody = z.strictObject({
  entry: z.unknown().optional().describe("As it was mended; absent: as it is kept"),
});
export const bansQuery = z.strictObject({
  limit: wholeNumber(1, 100, 50).describe("How many"),
  cursor: user.optional().describe("From the page before"),
  user: user.optional().describe("Only this user's"),
});
export const banBody = z.strictObject({
  reason: text(1, 200).optional(),
  untilMs: z.int().positive().max(8_640_000_000_000_000).optional().describe("Absent: until it is lifted"),
});

const banSchema = z.strictObject({
  user: z.string(),
  reason: z.string().optional(),
  by: z.string(),
  at: time,
  untilMs: z.int().optional(),
});
const deadLetterSchema = z.strictObject({
  id: z.int(),
  room: z.string(),
  epoch: z.string(),
  n: z.int(),
  reason: z.string(),
  at: time,
  appliedAt: time.optional(),
  entry: z.unknown(),
});
/** Bans everywhere, and what was set aside. */
export const upkeepOperations: readonly Operation[] = [
  {
    id: "listBans",
    method: "get",
    path: "/v1/bans",
    tag: "By hand",
    summary: "Who is banned everywhere",
    who: "admin",
    query: bansQuery,
    answers: {
      200: {
        about: "A page, by user id",
        schema: z.strictObject({ bans: z.array(banSchema), cursor: z.string().optional() }),
      },
    },
  },
  {
    id: "readBan",
    method: "get",
    path: "/v1/bans/{user}",
    tag: "By hand",
    summary: "Somebody's ban",
    who: "admin",
    params: userParams,
    query: noQuery,
    answers: { 200: { about: "The ban", schema: banSchema } },
  },
  {
    id: "ban",
    method: "put",
    path: "/v1/bans/{user}",
    tag: "By hand",
    summary: "Ban somebody everywhere",
    about: "Reaches every live connection within seconds. Again changes it.",
    who: "admin",
    params: userParams,
    query: noQuery,
    body: banBody,
    answers: { 200: { about: "The ban as it stands", schema: banSchema } },
  },
  {
    id: "liftBan",
    method: "delete",
    path: "/v1/bans/{user}",
    tag: "By hand",
    summary: "Lift a ban",
    who: "admin",
    params: userParams,
    query: noQuery,
    answers: { 200: { about: "It is lifted", schema: z.strictObject({ lifted: z.literal(true) }) } },
  },
  {
    id: "banNamed",
    method: "put",
    path: "/v1/bans",
    tag: "By hand",
    summary: "Ban somebody everywhere, named by a parameter",
    about: "As with the user in the address, which `.` and `..` cannot stand in.",
    who: "admin",
    query: userParams,
    body: banBody,
    answers: { 200: { about: "The ban as it stands", schema: banSchema } },
  },
  {
    id: "liftBanNamed",
    method: "delete",
    path: "/v1/bans",
    tag: "By hand",
    summary: "Lift the ban of somebody who is named by a parameter",
    who: "admin",
    query: userParams,
    answers: { 200: { about: "It is lifted", schema: z.strictObject({ lifted: z.literal(true) }) } },
  },
  {
    id: "listAside",
    method: "get",
    path: "/v1/aside",
    tag: "By hand",
    summary: "Entries that the database would not take",
    who: "admin",
    query: deadLetterQuery,
    answers: {
      200: {
        about: "A page, the oldest first",
        schema: z.strictObject({ entries: z.array(deadLetterSchema), cursor: z.string().optional() }),
      },
    },
  },
  {
    id: "readAside",
    method: "get",
    path: "/v1/aside/{number}",
    tag: "By hand",
    summary: "One of them",
    who: "admin",
    params: deadLetterParams,
    query: noQuery,
    answers: { 200: { about: "The entry", schema: deadLetterSchema } },
  },
  {
    id: "applyAside",
    method: "post",
    path: "/v1/aside/{number}",
    tag: "By hand",
    summary: "Write one of them, as it is or as it was mended",
    about: "Once, however often it is asked: 409 after. 422 when it is refused again, with the reason.",
    who: "admin",
    params: deadLetterParams,
    query: noQuery,
    body: deadLetterBody,
    answers: { 200: { about: "The entry, applied", schema: deadLetterSchema } },
  },
];
