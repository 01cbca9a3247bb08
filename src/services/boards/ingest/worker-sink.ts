import { SIGNATURE_HEADER, signCall } from "../../../edge/signed-calls/signed-call";
import type { EffectHandler } from "../../../lib/effect-handler";
import type { BatchAnswer } from "../../../protocol/batch";
import { batchAnswerSchema } from "../../../protocol/schema/batch";
import { parseBatch } from "./batch-effect";

/** Sends the batches of rooms on a platform without a database to the worker at this URL, signed. */
export function createWorkerSink(url: string, secret: string): EffectHandler {
  return async (_, request, signal) => {
    const body = JSON.stringify(parseBatch(request));
    const batchUrl = new URL(`${url}/v1/batches`);
    const call = { method: "POST", path: batchUrl.pathname + batchUrl.search, body };
    const response = await fetch(batchUrl, {
      method: call.method,
      headers: {
        "Content-Type": "application/json",
        [SIGNATURE_HEADER]: await signCall(call, secret, Date.now()),
      },
      body,
      signal,
      // A redirect could send the signed batch to another server.
      redirect: "manual",
    });
    const text = await response.text();
    if (response.status !== 200 && response.status !== 409) {
      throw new Error(`the scoreboard answered ${response.status}: ${text.slice(0, 200)}`);
    }
    return parseAnswer(text);
  };
}

function parseAnswer(text: string): BatchAnswer {
  const read = batchAnswerSchema.safeParse(JSON.parse(text));
  if (!read.success) throw new Error(`the scoreboard's answer makes no sense: ${text.slice(0, 200)}`);
  return read.data;
}
