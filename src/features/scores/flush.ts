import { z } from "zod";
import { BATCH_VERSION } from "../../protocol/batch";
import { byteLength } from "../../protocol/codec";
import { MAX_BATCH_BYTES, MAX_BATCH_ENTRIES } from "../../protocol/limits";
import type { Json } from "../../protocol/messages";
import type { Outcome } from "../../room/api/feature";
import { ledger } from "./private-state";
import type { scoresSchema } from "./schema";
import type { Context } from "./tally";

/** The one timer, set only while something is owed. */
export const FLUSH = "flush";
export const BATCH = "batch";
/** A member left: whoever goes to look at the board finds their points there. */
const LEAVING_MS = 1_000;
/** Two lives of one room that both renumber would go round and round: not faster than this. */
const RENUMBERED_MS = 5_000;
/** What a batch needs besides its entries. */
const ENVELOPE_BYTES = 1_000;
/** Of those who were refused, so many are named. */
const MAX_REFUSED = 200;

export type ScoresOutcome = Outcome<(typeof scoresSchema)["events"], (typeof scoresSchema)["privateEvents"]>;

const answerSchema = z.union([
  z.object({ applied: z.literal(true), refused: z.array(z.string()) }),
  z.object({ applied: z.literal(false), reason: z.literal("duplicate"), refused: z.array(z.string()) }),
  z.object({ applied: z.literal(false), reason: z.literal("gap"), expected: z.int().min(1) }),
]);

/** Something is owed: it is on its way within the deployment's window, or with the one before once that is answered. */
export function flushWithin({ at, private: hidden }: Context, ms: number): ScoresOutcome {
  const by = at + ms;
  if (hidden.flushBy !== null && hidden.flushBy <= by) return {};
  return {
    private: [{ n: "flushBy", d: { at: by } }],
    ...(hidden.sealed ? {} : { timers: { [FLUSH]: by } }),
  };
}

export function flushAfterLeaving(seen: Context): ScoresOutcome {
  const { ledger: owed } = seen.private;
  return owed.size > 0 ? flushWithin(seen, Math.min(LEAVING_MS, seen.flushMs)) : {};
}

/** What is under way is asked for again; else what gathered is sealed. `closing`: nothing more follows in this life. */
export function flush({ private: hidden }: Context, closing = false): ScoresOutcome {
  const { sealed, ledger: owed, n, flushBy, isClosed, mustReopen } = hidden;
  if (sealed) return { effects: [BATCH] };
  const mustClose = closing && n > 0 && !isClosed;
  // Without entries it tells only that the room's life goes on, or that it ends.
  if (owed.size === 0 && !mustClose && !mustReopen) {
    return flushBy === null ? {} : { private: [{ n: "flushBy", d: { at: null } }] };
  }
  const count = countFitting(hidden);
  // A receipt that says so is let go some time. Asked again after that, points would count twice; nothing never does.
  const isLast = closing && owed.size === 0;
  return {
    private: [{ n: "sealed", d: { n: n + 1, count, closing: isLast } }],
    timers: { [FLUSH]: null },
    effects: [BATCH],
  };
}

/** The same for one number, however often it is asked. */
export function requestBatch({ private: { sealed }, room, epoch, openedByGuest }: Context): Json | undefined {
  if (!sealed) return undefined;
  return {
    v: BATCH_VERSION,
    room: `${room.kind}/${room.id}`,
    epoch,
    n: sealed.n,
    ...(openedByGuest ? { ownOnly: true } : {}),
    ...(sealed.closing ? { closing: true } : {}),
    entries: sealed.entries.map((entry) => ({ ...entry })),
  };
}

/** Somebody came after what was to be the last batch: the scoreboard has to hear that this life goes on, before it forgets it. */
export function reopen({ at, flushMs, private: hidden }: Context): ScoresOutcome {
  const { isClosed, sealed, mustReopen } = hidden;
  if (mustReopen || !(isClosed || sealed?.closing)) return {};
  const by = at + flushMs;
  return {
    private: [
      { n: "reopened", d: {} },
      { n: "flushBy", d: { at: by } },
    ],
    ...(sealed ? {} : { timers: { [FLUSH]: by } }),
  };
}

/** Throws on what is no answer: it is then asked again. */
export function onBatchAnswer({ at, private: hidden }: Context, json: Json): ScoresOutcome {
  const answer = answerSchema.parse(json);
  if (!hidden.sealed) return {};
  // The scoreboard has not what came before, or has more. What is owed is owed: it takes the number that is expected.
  if (!answer.applied && answer.reason === "gap") {
    return {
      private: [{ n: "renumbered", d: { n: answer.expected } }],
      timers: { [FLUSH]: at + RENUMBERED_MS },
    };
  }
  const { refused } = answer;
  const { flushBy } = hidden;
  return {
    private: [{ n: "settled", d: {} }],
    timers: { [FLUSH]: flushBy === null ? null : Math.max(at, flushBy) },
    ...(refused.length === 0
      ? {}
      : { events: [{ n: "refused", d: { users: refused.slice(0, MAX_REFUSED), count: refused.length } }] }),
  };
}

/** As many as a batch holds, in the ledger's order. */
function countFitting(hidden: Context["private"]): number {
  let bytes = ENVELOPE_BYTES;
  let count = 0;
  for (const entry of ledger.rows(hidden.ledger)) {
    bytes += byteLength(JSON.stringify(entry)) + 1;
    if (count >= MAX_BATCH_ENTRIES || bytes > MAX_BATCH_BYTES) break;
    count++;
  }
  return count;
}
