import type { Config } from "../../config/config";
import { SIGNATURE_HEADER, signCall } from "./signed-call";

/** Calls the worker at SCOREBOARD_URL, signed: how rooms on PartyKit reach the services. */
export interface WorkerClient {
  /** Rejects unless the worker answers with success. */
  call(path: string, body: object, signal: AbortSignal): Promise<unknown>;
}

/** `undefined` unless SCOREBOARD_URL and BATCH_SECRET are set. */
export function createWorkerClient({ scoreboardUrl, batchSecret }: Config): WorkerClient | undefined {
  if (scoreboardUrl === undefined || batchSecret === undefined) return undefined;
  return {
    async call(path, body, signal) {
      const url = new URL(`${scoreboardUrl}${path}`);
      const text = JSON.stringify(body);
      const signature = await signCall(
        { method: "POST", path: url.pathname, body: text },
        batchSecret,
        Date.now(),
      );
      const headers = { "Content-Type": "application/json", [SIGNATURE_HEADER]: signature };
      const response = await fetch(url, { method: "POST", body: text, headers, signal });
      if (response.ok) return response.json();
      await response.body?.cancel();
      throw new Error(`the worker answered ${response.status}`);
    },
  };
}
