import type { Config } from "../config/config";
import { Verifier } from "../identity/verifier";
import { randomId } from "../lib/ids";
import type { DatabaseProbe } from "../ops/health";
import type { BansCall } from "../services/bans/ban-lookup";
import { IpLimiter, type IpLimitsCall } from "./ip-limits/ip-limiter";
import { normalizeIp } from "./ip-limits/normalize-ip";

/** What a platform tells and gives beyond the configuration. */
export interface EdgeOptions {
  /** The names of the kinds that there are. */
  kinds: ReadonlySet<string>;
  /** Where a request came from, as the platform itself saw it, or an origin of ours that passed it on. */
  clientIpOf(request: Request): string | undefined | Promise<string | undefined>;
  /** Whom to ask who is banned, where there is anybody. */
  fetchBans?: BansCall | undefined;
  /** Absent where there are no objects for addresses: their limits are off. */
  callIpLimits?: IpLimitsCall | undefined;
  /** Absent where there is none to be had from here. */
  database?: DatabaseProbe | undefined;
}

/** What everybody has at hand who judges whatever comes from outside. One lasts as long as the process. */
export interface EdgeContext {
  config: Config;
  kinds: ReadonlySet<string>;
  verifier: Verifier;
  ipLimiter: IpLimiter;
  /** The keyed hash of where a request came from: an address itself goes no further than this. */
  ipHashOf(request: Request): Promise<string | undefined>;
}

/** Reckoning a hash costs more than everything else that a read from memory does. */
const MAX_HASHES = 1_000;

export function createEdgeContext(
  config: Config,
  { kinds, clientIpOf, callIpLimits }: EdgeOptions,
): EdgeContext {
  const { authSecret: secret, batchSecret, jwks } = config;
  // With none set (keys of AUTH_JWKS_URL alone) one of this process's own: were there no hash, everybody would be at one address,
  // and any stranger could use up its limits for all.
  const ipLimiter = new IpLimiter(config, callIpLimits, secret ?? batchSecret ?? randomId());
  const hashes = new Map<string, string>();
  return {
    config,
    kinds,
    verifier: new Verifier({ ...(secret === undefined ? {} : { secret }), ...(jwks ? { jwks } : {}) }),
    ipLimiter,
    async ipHashOf(request) {
      // In its normal form: somebody with a /64 has a new spelling for each request.
      const clientIp = normalizeIp((await clientIpOf(request)) ?? "");
      if (clientIp === undefined) return undefined;
      const cached = hashes.get(clientIp);
      if (cached !== undefined) return cached;
      const hash = await ipLimiter.hashIp(clientIp);
      if (hashes.size >= MAX_HASHES) hashes.clear();
      // Not the promise: one of a request that is cut off is never kept.
      if (hash !== undefined) hashes.set(clientIp, hash);
      return hash;
    },
  };
}
