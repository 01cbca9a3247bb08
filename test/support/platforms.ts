import { type Server, startCloudflare, startPartyKit } from "./servers";

/**
 * What differs from platform to platform, as each declares it. The stories ask for these and never for a name, so
 * that a platform which learns something changes one word here, and a new platform is one more entry.
 */
export interface Capabilities {
  /** A `ping` is answered by the platform itself: it wakes nobody. */
  automaticPong: boolean;
  /** permessage-deflate is agreed upon with a client that offers it. */
  compression: boolean;
  /** Every kind's address reaches our edge, which can say `bye`; otherwise an unknown kind is a bare HTTP 404. */
  unknownKindReachesEdge: boolean;
}

export interface Platform {
  /** For titles. */
  name: string;
  can: Capabilities;
  start(env: Record<string, string>): Promise<Server>;
}

export const partykit: Platform = {
  name: "PartyKit",
  can: { automaticPong: false, compression: false, unknownKindReachesEdge: false },
  start: (env) => startPartyKit({ env }),
};

export const cloudflare: Platform = {
  name: "Cloudflare",
  can: { automaticPong: true, compression: true, unknownKindReachesEdge: true },
  start: (env) => startCloudflare({ env }),
};
