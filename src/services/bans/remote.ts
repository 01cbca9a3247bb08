import type { WorkerClient } from "../../edge/signed-calls/worker-client";
import type { EffectHandler, EffectHandlers } from "../../lib/effect-handler";
import type { Json } from "../../protocol/messages";
import type { BansCall } from "./ban-lookup";
import { bansInForce } from "./worker-calls";

/** The ban service as rooms on PartyKit and their edge reach it: in the worker. */
export function createRemoteBans(client: WorkerClient): {
  fetchBans: BansCall;
  effectHandlers: EffectHandlers;
} {
  const callEffect = (name: string): EffectHandler => {
    return async (room, request, signal) =>
      (await client.call(`/v1/errands/moderation/${name}`, { room, ask: request }, signal)) as Json;
  };
  return {
    fetchBans: async (user, room, signal) =>
      bansInForce.parse(await client.call("/v1/errands/moderation/ask", { user, room }, signal)),
    effectHandlers: { "moderation/places": callEffect("places"), "moderation/bans": callEffect("bans") },
  };
}
