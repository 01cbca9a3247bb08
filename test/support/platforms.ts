import { type Server, startCloudflare, startPartyKit } from "./servers";

/**
 * What differs from platform to platform, as each declares it. Tests ask for these and never for a name, so
 * that a platform with a new capability changes one word here, and a new platform is one more entry.
 */
export interface Capabilities {
  /** The platform itself answers a `ping`, without waking the room. */
  automaticPong: boolean;
  /** permessage-deflate is agreed upon with a client that offers it. */
  compression: boolean;
  /** Every kind's address reaches our edge, which can say `bye`; otherwise an unknown kind is a bare HTTP 404. */
  unknownKindReachesEdge: boolean;
  /** It tells a client's address; otherwise everybody is at one, where a limit of addresses is set at all. */
  reportsClientIp: boolean;
  /** Pages leave with headers of ours. */
  setsPageHeaders: boolean;
}

export interface Platform {
  /** For titles. */
  name: string;
  capabilities: Capabilities;
  /** What `next-release` is started by. */
  nextReleaseMain: string;
  start(env: Record<string, string>, port?: number): Promise<Server>;
}

export const partykit: Platform = {
  name: "PartyKit",
  nextReleaseMain: "test/support/next-release/party.ts",
  capabilities: {
    automaticPong: false,
    compression: false,
    unknownKindReachesEdge: false,
    reportsClientIp: false,
    setsPageHeaders: false,
  },
  start: (env, port) => startPartyKit({ env, ...(port === undefined ? {} : { port }) }),
};

export const cloudflare: Platform = {
  name: "Cloudflare",
  nextReleaseMain: "test/support/next-release/worker.ts",
  capabilities: {
    automaticPong: true,
    compression: true,
    unknownKindReachesEdge: true,
    reportsClientIp: true,
    setsPageHeaders: true,
  },
  start: (env, port) => startCloudflare({ env, ...(port === undefined ? {} : { port }) }),
};
