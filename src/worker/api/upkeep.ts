import { z } from "zod";
import { text } from "../../protocol/schema/fields";
import { noQuery } from "./boards";
import { userParams } from "./by-hand";
import { number, time, user, whole } from "./fields";
import type { Operation } from "./operation";

export const numberParams = z.strictObject({ number: number.describe("Its number") });
const WAY = "must be 0 or 1";
export const asideQuery = z.strictObject({
  cursor: number.optional().describe("From the page before"),
  applied: z.enum(["0", "1"], { error: WAY }).optional().describe("1: with those that were applied"),
});
export const asideBody = z.strictObject({
  entry: z.unknown().optional().describe("As it was mended; absent: as it is kept"),
});
export const bansQuery = z.strictObject({
  limit: whole(1, 100, 50).describe("How many"),
  cursor: user.optional().describe("From the page before"),
  user: user.optional().describe("Only this user's"),
});
export const banBody = z.strictObject({
  reason: text(1, 200).optional(),
  untilMs: z.int().positive().max(8_640_000_000_000_000).optional().describe("Absent: until it is lifted"),
});

const banTold = z.strictObject({
  user: z.string(),
  reason: z.string().optional(),
  by: z.string(),
  at: time,
  untilMs: z.int().optional(),
});
const asideTold = z.strictObject({
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
        schema: z.strictObject({ bans: z.array(banTold), cursor: z.string().optional() }),
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
    answers: { 200: { about: "The ban", schema: banTold } },
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
    answers: { 200: { about: "The ban as it stands", schema: banTold } },
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
    answers: { 200: { about: "The ban as it stands", schema: banTold } },
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
    query: asideQuery,
    answers: {
      200: {
        about: "A page, the oldest first",
        schema: z.strictObject({ entries: z.array(asideTold), cursor: z.string().optional() }),
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
    params: numberParams,
    query: noQuery,
    answers: { 200: { about: "The entry", schema: asideTold } },
  },
  {
    id: "applyAside",
    method: "post",
    path: "/v1/aside/{number}",
    tag: "By hand",
    summary: "Write one of them, as it is or as it was mended",
    about: "Once, however often it is asked: 409 after. 422 when it is refused again, with the reason.",
    who: "admin",
    params: numberParams,
    query: noQuery,
    body: asideBody,
    answers: { 200: { about: "The entry, applied", schema: asideTold } },
  },
];
