import type { BatchAnswer } from "../../protocol/batch";
import { batchAnswerSchema } from "../../protocol/schema/batch";
import { SIGNATURE_HEADER, signCall } from "../calls/signed-call";
import type { ErrandHandler } from "../errands";
import { batchOf } from "./batch-errand";

/** Where a room's batches go on a platform without a database: to the worker at this address, signed. */
export function scoreboardSink(url: string, secret: string): ErrandHandler {
  return async (_, ask, signal) => {
    const body = JSON.stringify(batchOf(ask));
    const address = new URL(`${url}/v1/batches`);
    const call = { method: "POST", path: address.pathname + address.search, body };
    const response = await fetch(address, {
      method: call.method,
      headers: {
        "Content-Type": "application/json",
        [SIGNATURE_HEADER]: await signCall(call, secret, Date.now()),
      },
      body,
      signal,
      // A batch goes where it was sent to and nowhere else.
      redirect: "manual",
    });
    const text = await response.text();
    if (response.status !== 200 && response.status !== 409) {
      throw new Error(`the scoreboard answered ${response.status}: ${text.slice(0, 200)}`);
    }
    return answerOf(text);
  };
}

function answerOf(text: string): BatchAnswer {
  const read = batchAnswerSchema.safeParse(JSON.parse(text));
  if (!read.success) throw new Error(`the scoreboard's answer makes no sense: ${text.slice(0, 200)}`);
  return read.data;
}
