import type { Config } from "../config/config";
import { Verifier, type VerifierState } from "../identity/verifier";
import { randomId } from "../lib/ids";
import { LruMap } from "../lib/lru";
import type { Role } from "../protocol/codes";
import type { Close } from "../room/api/feature";
import { IpLimiter, type IpLimiterState, type IpLimitsCall } from "./ip-limits/ip-limiter";
import { normalizeIp } from "./ip-limits/normalize-ip";

/** What a platform provides beyond the configuration. */
export interface EdgeOptions {
  /** The names of all kinds of room. */
  kinds: ReadonlySet<string>;
  /** The client's address, as the platform saw it or as one of our own servers forwarded it. */
  clientIpOf(request: Request): string | undefined | Promise<string | undefined>;
  /** Absent if this deployment has no ban service. */
  checkBans?: CheckBans | undefined;
  /** Absent if there are no objects for addresses. Their limits are then off. */
  callIpLimits?: IpLimitsCall | undefined;
}

/**
 * Looks up the bans of a user in a room (`kind/id`). `close`: the user is banned. `checkedAt`: when that was known; absent if the
 * ban service did not answer.
 */
export type CheckBans = (
  user: string,
  room: string,
  now: number,
  role: Role,
) => Promise<{ close?: Close; checkedAt?: number }>;

/** What every check at the edge needs. One context lasts as long as the process. */
export interface EdgeContext {
  config: Config;
  kinds: ReadonlySet<string>;
  verifier: Verifier;
  ipLimiter: IpLimiter;
  /** The keyed hash of the client's address. The address itself goes no further than this. */
  ipHashOf(request: Request): Promise<string | undefined>;
}

/** What the edge of this process has counted, for health and metrics. */
export interface EdgeState extends VerifierState {
  addresses: IpLimiterState;
}

/** Computing a hash costs more than everything else in a read from memory. */
const MAX_HASHES = 1_000;

export function createEdgeContext(
  config: Config,
  { kinds, clientIpOf, callIpLimits }: Pick<EdgeOptions, "kinds" | "clientIpOf" | "callIpLimits">,
): EdgeContext {
  const { authSecret: secret, batchSecret, jwks } = config;
  // Without a secret (keys of AUTH_JWKS_URL alone) this process makes one of its own. With no hash all clients would share one
  // address, and a stranger could use up its limits for everyone.
  const ipLimiter = new IpLimiter(config, callIpLimits, secret ?? batchSecret ?? randomId());
  const hashes = new LruMap<string, string>(MAX_HASHES);
  return {
    config,
    kinds,
    verifier: new Verifier({ ...(secret === undefined ? {} : { secret }), ...(jwks ? { jwks } : {}) }),
    ipLimiter,
    async ipHashOf(request) {
      // Normalized, because the holder of a /64 can spell the address differently in each request.
      const clientIp = normalizeIp((await clientIpOf(request)) ?? "");
      if (clientIp === undefined) return undefined;
      const cached = hashes.get(clientIp);
      if (cached !== undefined) return cached;
      const hash = await ipLimiter.hashIp(clientIp);
      // The value and not its promise: the promise of a request that is cut off never settles.
      if (hash !== undefined) hashes.set(clientIp, hash);
      return hash;
    },
  };
}
