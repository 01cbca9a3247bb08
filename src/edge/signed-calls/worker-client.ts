import type { Config } from "../../config/config";
import type { EffectHandlers } from "../../platforms/run-effect";
import type { Json } from "../../protocol/messages";
import type { BansCall } from "../../services/bans/ban-lookup";
import { bansInForce } from "../../services/bans/worker-calls";
import { SIGNATURE_HEADER, signCall } from "./signed-call";

/** How PartyKit's rooms reach the worker that keeps the bans: signed, at SCOREBOARD_URL. */
export interface WorkerClient {
  fetchBans: BansCall;
  effectHandlers: EffectHandlers;
}

/** Nothing where there is no worker to be asked. */
export function createWorkerClient({ scoreboardUrl, batchSecret }: Config): WorkerClient | undefined {
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
  const callEffect = (name: string): EffectHandlers[string] => {
    return async (room, request, signal) =>
      (await call(`/v1/errands/moderation/${name}`, { room, ask: request }, signal)) as Json;
  };
  return {
    fetchBans: async (user, room, signal) =>
      bansInForce.parse(await call("/v1/errands/moderation/ask", { user, room }, signal)),
    effectHandlers: { "moderation/places": callEffect("places"), "moderation/bans": callEffect("bans") },
  };
}

/** Without a worker a room's bans are the room's alone: they hold for as long as the room is kept. */
export const standaloneHandlers: EffectHandlers = {
  "moderation/places": async (_, request) => {
    const { came, gone } = request as { came: { user: string }[]; gone: string[] };
    return { askedAt: 0, came: came.map(({ user }) => user), gone, bans: [] };
  },
  "moderation/bans": async (_, request) => {
    const { writes } = request as { writes: { n: number }[] };
    return { askedAt: 0, done: writes.map(({ n }) => n) };
  },
};
