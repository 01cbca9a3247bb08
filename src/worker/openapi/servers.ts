import { z } from "zod";
import type { Operation } from "../../edge/http/operation";
import { batchAnswerSchema, batchEntrySchema, batchSchema } from "../../protocol/schema/batch";

/** An entry that is none does not stop the others: it is set aside. So the envelope alone is judged. */
const batchBody = batchSchema.extend({
  entries: batchSchema.shape.entries.describe("Each a BatchEntry; what is none is set aside by itself"),
});

const health = z.looseObject({
  ok: z.boolean(),
  problems: z.array(z.string()).describe("What is wrong, each a sentence"),
  warnings: z.array(z.string()).describe("What can wait till morning"),
});

export const serverOperations: readonly Operation[] = [
  {
    id: "applyBatch",
    method: "post",
    path: "/v1/batches",
    tag: "Platforms",
    summary: "Points of a room",
    about: "Applied once, in their turn. Signed: docs/protocol.md, S1.",
    who: "platform",
    body: batchBody,
    answers: {
      200: { about: "Applied, or applied before", schema: batchAnswerSchema },
      409: {
        about: "Another number is expected",
        schema: z.looseObject({ reason: z.literal("gap"), expected: z.int() }),
      },
    },
  },
  {
    id: "runErrand",
    method: "post",
    path: "/v1/errands/moderation/{what}",
    tag: "Platforms",
    summary: "What rooms on PartyKit ask about bans",
    about: "Signed: docs/protocol.md, S1 and R9.",
    who: "platform",
    params: z.strictObject({ what: z.enum(["ask", "places", "bans"]) }),
    body: z.looseObject({}),
    answers: { 200: { about: "The answer", schema: z.looseObject({}) } },
  },
  {
    id: "readHealth",
    method: "get",
    path: "/health",
    tag: "State",
    summary: "Whether the server can do its work",
    who: "anyone",
    answers: {
      200: { about: "It can", schema: health },
      503: { about: "It cannot, and why", schema: health },
    },
  },
  {
    id: "readMetrics",
    method: "get",
    path: "/metrics",
    tag: "State",
    summary: "Figures for Prometheus",
    who: "anyone",
    answers: { 200: { about: "Prometheus text", type: "text/plain" } },
  },
  {
    id: "readDocument",
    method: "get",
    path: "/v1/openapi.json",
    tag: "State",
    summary: "This document",
    who: "anyone",
    query: z.strictObject({}),
    answers: { 200: { about: "OpenAPI 3.1", schema: z.looseObject({ openapi: z.string() }) } },
  },
];

/** Told by name only: nothing refers to it. */
export const batchEntry = batchEntrySchema.meta({ id: "BatchEntry" });
