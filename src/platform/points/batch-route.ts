import type { BoardBook } from "../../boards/board-book";
import type { BatchAnswer } from "../../protocol/batch";
import { MAX_BATCH_BYTES } from "../../protocol/limits";
import { batchSchema, readBatch } from "../../protocol/schema/batch";
import { readSigned } from "../calls/signed-body";
import type { CallSecrets } from "../calls/signed-call";
import { type HttpRefusal, refusalResponse, refuseHttp } from "../edge/http-refusal";
import { within } from "../within";
import { writeBatch } from "./database-sink";

/** A room waits ten seconds for its answer: later than this nobody hears it. */
const DEADLINE_MS = 9_000;
const RETRY_MS = 2_000;

/** Where a batch is taken. */
export interface Intake {
  secrets: CallSecrets | undefined;
  db: D1Database;
  book: BoardBook;
  /** Lets work go on once the answer has left. */
  later(work: Promise<unknown>): void;
}

/** `POST /v1/batches`: judged in full before the database is touched. */
export async function answerBatch(
  request: Request,
  { secrets, db, book, later }: Intake,
  now: number,
  deadlineMs = DEADLINE_MS,
): Promise<Response> {
  if (request.method !== "POST") {
    return refusalResponse(refuseHttp(405, "bad_action", "Batches are sent with POST.", { Allow: "POST" }));
  }
  const read = await readSigned(request, secrets, now, MAX_BATCH_BYTES);
  if (!read.ok) return refusalResponse(read);
  const batch = batchSchema.safeParse(jsonOf(read.text));
  if (!batch.success) {
    const [issue] = batch.error.issues;
    const where = issue?.path.join(".") || "the body";
    return refusalResponse(refuseHttp(400, "bad_data", `That is no batch: ${where}: ${issue?.message}.`));
  }
  const applied = writeBatch(db, book, readBatch(batch.data), now);
  // What is nearly done is done, and found so when it comes again: a large batch with a bad entry in it takes a while.
  let isAnswered = false;
  const failed = (error: unknown) =>
    console.error(`Batch ${batch.data.n} of ${batch.data.room} was not applied:`, error);
  later(applied.catch((error) => isAnswered && failed(error)));
  try {
    return told(await within(applied, deadlineMs, "The database gave no answer"));
  } catch (error) {
    failed(error);
    return refusalResponse(unavailable());
  } finally {
    isAnswered = true;
  }
}

/** What is no JSON is no batch either. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function told(answer: BatchAnswer): Response {
  const isGap = !answer.applied && answer.reason === "gap";
  const body = isGap
    ? { code: "conflict", message: `The next batch of this room is ${answer.expected}.`, ...answer }
    : answer;
  return Response.json(body, { status: isGap ? 409 : 200, headers: { "Cache-Control": "no-store" } });
}

function unavailable(): HttpRefusal {
  const message = "The database did not take the batch. Send it again.";
  return { ok: false, status: 503, body: { code: "unavailable", message, retryAfterMs: RETRY_MS } };
}
