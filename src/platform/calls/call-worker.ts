import type { Json } from "../../protocol/messages";
import type { AskBans } from "../bans/ban-book";
import { banAnswer } from "../bans/ban-calls";
import type { Config } from "../config";
import type { ErrandHandlers } from "../errands";
import { SIGNATURE_HEADER, signCall } from "./signed-call";

/** How PartyKit's rooms reach the worker that keeps the bans: signed, at SCOREBOARD_URL. */
export interface CallWorker {
  askBans: AskBans;
  errands: ErrandHandlers;
}

/** Nothing where there is no worker to be asked. */
export function workerOf({ scoreboardUrl, batchSecret }: Config): CallWorker | undefined {
  if (scoreboardUrl === undefined || batchSecret === undefined) return undefined;
  const call = async (path: string, body: object, signal: AbortSignal): Promise<unknown> => {
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
  };
  const errand = (name: string): ErrandHandlers[string] => {
    return async (room, ask, signal) =>
      (await call(`/v1/errands/moderation/${name}`, { room, ask }, signal)) as Json;
  };
  return {
    askBans: async (user, room, signal) =>
      banAnswer.parse(await call("/v1/errands/moderation/ask", { user, room }, signal)),
    errands: { "moderation/places": errand("places"), "moderation/bans": errand("bans") },
  };
}

/** Without a worker a room's bans are the room's alone: they hold for as long as the room is kept. */
export const aloneErrands: ErrandHandlers = {
  "moderation/places": async (_, ask) => {
    const { came, gone } = ask as { came: { user: string }[]; gone: string[] };
    return { askedAt: 0, came: came.map(({ user }) => user), gone, bans: [] };
  },
  "moderation/bans": async (_, ask) => {
    const { writes } = ask as { writes: { n: number }[] };
    return { askedAt: 0, done: writes.map(({ n }) => n) };
  },
};
