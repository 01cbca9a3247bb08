import type * as Party from "partykit/server";
import type { Config } from "../config/config";
import { createWorkerClient } from "../edge/signed-calls/worker-client";
import type { EffectHandlers } from "../lib/effect-handler";
import { createParty, type PartyWiring } from "../platforms/partykit";
import type { Kind } from "../room/api/kind";
import { BanLookup } from "../services/bans/ban-lookup";
import { createRemoteBans } from "../services/bans/remote";
import { standaloneBanHandlers } from "../services/bans/standalone";
import { createBatchHandlers } from "../services/boards/ingest/batch-effect";
import { createWorkerSink } from "../services/boards/ingest/worker-sink";
import { englishFilter } from "../text/english-filter";
import { type CustomEffects, openCustomHandlers } from "./custom-effects";
import { answerOps } from "./ops";

/** A kind of room as a party, connected to the services in the worker at SCOREBOARD_URL. */
export function partyOf(
  kind: Kind,
  { effects }: { effects?: CustomEffects<Party.Room["env"]> } = {},
): Party.Worker {
  return createParty(kind, (env, config): PartyWiring => {
    const client = createWorkerClient(config);
    const bans = client && createRemoteBans(client);
    const lookup = bans && new BanLookup(bans.fetchBans);
    return {
      effectHandlers: {
        ...openCustomHandlers(effects, env),
        ...(bans ? bans.effectHandlers : standaloneBanHandlers),
        ...remoteBatchHandlers(config),
      },
      filter: englishFilter,
      ...(lookup ? { checkBans: (...query) => lookup.check(...query) } : {}),
      answerOps,
    };
  });
}

/** None without an address and a secret. Points then stay in the room's ledger, and the log says so. */
function remoteBatchHandlers({ scoreboardUrl, batchSecret }: Config): EffectHandlers {
  if (scoreboardUrl === undefined || batchSecret === undefined) return {};
  return createBatchHandlers(createWorkerSink(scoreboardUrl, batchSecret));
}
