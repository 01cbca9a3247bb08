import { z } from "zod";
import { noQuery, number, time } from "../../../../edge/http/fields";
import type { Operation } from "../../../../edge/http/operation";

export const deadLetterParams = z.strictObject({ number: number.describe("Its number") });
const ZERO_OR_ONE = "must be 0 or 1";
export const deadLetterQuery = z.strictObject({
  cursor: number.optional().describe("From the page before"),
  applied: z.enum(["0", "1"], { error: ZERO_OR_ONE }).optional().describe("1: with those that were applied"),
});
export const deadLetterBody = z.strictObject({
  entry: z.unknown().optional().describe("As it was mended; absent: as it is kept"),
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

export const deadLetterOperations: readonly Operation[] = [
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
