import { z } from "zod";
import type { EffectHandler, EffectHandlers } from "../../../lib/effect-handler";
import type { Json } from "../../../protocol/messages";
import { batchSchema, readBatch } from "../../../protocol/schema/batch";
import type { ReceivedBatch } from "../store/apply-batch";

/** Parses the request of the effect `scores/batch`. */
export function parseBatch(request: Json): ReceivedBatch {
  const parsed = batchSchema.safeParse(request);
  if (!parsed.success) throw new Error(`that is no batch: ${z.prettifyError(parsed.error)}`);
  return readBatch(parsed.data);
}

/** The effect of `features/scores`, which hands its batches to a sink. */
export function createBatchHandlers(sink: EffectHandler): EffectHandlers {
  return { "scores/batch": logAnomalies(sink) };
}

/**
 * Logs gaps and duplicates. A gap closes by itself, but is a sign of lost receipts or of a room that was restored to an earlier
 * state. A duplicate is no fault: the batch had been applied, and the answer was lost.
 */
export function logAnomalies(sink: EffectHandler): EffectHandler {
  return async (room, request, signal) => {
    const answer = await sink(room, request, signal);
    if (duplicateSchema.safeParse(answer).success) {
      console.log(
        `${room.kind}/${room.id}: batch ${parseBatch(request).n} had been applied, and its answer was lost.`,
      );
    }
    const gap = gapSchema.safeParse(answer);
    if (gap.success) {
      console.error(
        `${room.kind}/${room.id}: batch ${parseBatch(request).n} found a gap, for the scoreboard expects ${gap.data.expected}. Points may have been lost or doubled before.`,
      );
    }
    return answer;
  };
}

const duplicateSchema = z.object({ reason: z.literal("duplicate") });
const gapSchema = z.object({ reason: z.literal("gap"), expected: z.number() });
