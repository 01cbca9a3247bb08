import { z } from "zod";
import type { Batch } from "../../protocol/batch";
import type { Json } from "../../protocol/messages";
import { batchSchema, readBatch } from "../../protocol/schema/batch";
import type { ErrandHandler } from "../errands";

/** A batch whose envelope was judged; its entries are judged one by one, where they are written. */
export type AskedBatch = Omit<Batch, "entries"> & { entries: readonly unknown[] };

/** What the errand `scores/batch` asks. */
export function batchOf(ask: Json): AskedBatch {
  const read = batchSchema.safeParse(ask);
  if (!read.success) throw new Error(`that is no batch: ${z.prettifyError(read.error)}`);
  return readBatch(read.data);
}

/**
 * A gap heals by itself, and is the sign of something that does not: receipts that were lost, or a room that was set back.
 * A duplicate is no fault: it had been applied, and the answer was lost.
 */
export function withAlert(sink: ErrandHandler): ErrandHandler {
  return async (room, ask, signal) => {
    const answer = await sink(room, ask, signal);
    if (duplicateSchema.safeParse(answer).success) {
      console.log(
        `${room.kind}/${room.id}: batch ${batchOf(ask).n} had been applied, and its answer was lost.`,
      );
    }
    const gap = gapSchema.safeParse(answer);
    if (gap.success) {
      console.error(
        `${room.kind}/${room.id}: batch ${batchOf(ask).n} found a gap, for the scoreboard expects ${gap.data.expected}. Points may have been lost or doubled before.`,
      );
    }
    return answer;
  };
}

const duplicateSchema = z.object({ reason: z.literal("duplicate") });
const gapSchema = z.object({ reason: z.literal("gap"), expected: z.number() });
