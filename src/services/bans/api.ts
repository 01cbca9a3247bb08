import { z } from "zod";
import { noQuery, time, user, userParams, wholeNumber } from "../../edge/http/fields";
import type { Operation } from "../../edge/http/operation";
import { text } from "../../protocol/schema/fields";

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

export const banOperations: readonly Operation[] = [
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
];
