import type { CallSecrets } from "../../../config/config";
import { type HttpRejection, rejectHttp, rejectionResponse } from "../../../edge/http/http-rejection";
import { readSignedBody } from "../../../edge/signed-calls/signed-body";
import { withDeadline } from "../../../lib/deadline";
import { parseJson } from "../../../lib/parse-json";
import type { BatchAnswer } from "../../../protocol/batch";
import { MAX_BATCH_BYTES } from "../../../protocol/limits";
import { batchSchema, readBatch } from "../../../protocol/schema/batch";
import type { BoardRegistry } from "../store/board-registry";
import { writeBatch } from "./database-sink";

/** Shorter than the ten seconds that a room waits for the answer. */
const DEADLINE_MS = 9_000;
const RETRY_MS = 2_000;

/** What the route needs. */
export interface BatchRouteOptions {
  secrets: CallSecrets | undefined;
  db: D1Database;
  registry: BoardRegistry;
  /** Lets work continue after the response is sent. */
  waitUntil(work: Promise<unknown>): void;
}

/** `POST /v1/batches`. The envelope is validated before the database is called. */
export async function answerBatch(
  request: Request,
  { secrets, db, registry, waitUntil }: BatchRouteOptions,
  now: number,
  deadlineMs = DEADLINE_MS,
): Promise<Response> {
  if (request.method !== "POST") {
    return rejectionResponse(rejectHttp(405, "bad_action", "Batches are sent with POST.", { Allow: "POST" }));
  }
  const read = await readSignedBody(request, secrets, now, MAX_BATCH_BYTES);
  if (!read.ok) return rejectionResponse(read);
  const batch = batchSchema.safeParse(parseJson(read.text));
  if (!batch.success) {
    const [issue] = batch.error.issues;
    const where = issue?.path.join(".") || "the body";
    return rejectionResponse(rejectHttp(400, "bad_data", `That is no batch: ${where}: ${issue?.message}.`));
  }
  const applied = writeBatch(db, registry, readBatch(batch.data), now);
  // A large batch with a bad entry takes a while. It is finished after the deadline, and the retry finds it applied.
  let isAnswered = false;
  const logFailure = (error: unknown) =>
    console.error(`Batch ${batch.data.n} of ${batch.data.room} was not applied:`, error);
  waitUntil(applied.catch((error) => isAnswered && logFailure(error)));
  try {
    return batchResponse(await withDeadline(() => applied, deadlineMs, "The database gave no answer"));
  } catch (error) {
    logFailure(error);
    return rejectionResponse(unavailable());
  } finally {
    isAnswered = true;
  }
}

function batchResponse(answer: BatchAnswer): Response {
  const isGap = !answer.applied && answer.reason === "gap";
  const body = isGap
    ? { code: "conflict", message: `The next batch of this room is ${answer.expected}.`, ...answer }
    : answer;
  return Response.json(body, { status: isGap ? 409 : 200, headers: { "Cache-Control": "no-store" } });
}

function unavailable(): HttpRejection {
  const message = "The database did not take the batch. Send it again.";
  return { ok: false, status: 503, body: { code: "unavailable", message, retryAfterMs: RETRY_MS } };
}
