import { randomId } from "../../identity/short-id";
import { Verifier } from "../../identity/verifier";
import { AddressDesk, type AskAddress } from "../addresses/address-desk";
import { normalAddress } from "../addresses/client-address";
import type { AskBans } from "../bans/ban-book";
import type { Config } from "../config";
import type { DatabaseWatch } from "../watch/database-watch";

/** What a platform tells and gives beyond the configuration. */
export interface Grounds {
  /** The names of the kinds that there are. */
  kinds: ReadonlySet<string>;
  /** Where a request came from, as the platform itself saw it, or an origin of ours that passed it on. */
  addressOf(request: Request): string | undefined | Promise<string | undefined>;
  /** Whom to ask who is banned, where there is anybody. */
  askBans?: AskBans | undefined;
  /** Absent where there are no objects for addresses: their limits are off. */
  askAddress?: AskAddress | undefined;
  /** Absent where there is none to be had from here. */
  database?: DatabaseWatch | undefined;
}

/** What everybody has at hand who judges whatever comes from outside. One lasts as long as the process. */
export interface Gate {
  config: Config;
  kinds: ReadonlySet<string>;
  verifier: Verifier;
  desk: AddressDesk;
  /** The keyed hash of where a request came from: an address itself goes no further than this. */
  from(request: Request): Promise<string | undefined>;
}

/** Reckoning a hash costs more than everything else that a read from memory does. */
const MAX_HASHES = 1_000;

export function openGate(config: Config, { kinds, addressOf, askAddress }: Grounds): Gate {
  const { authSecret: secret, batchSecret, jwks } = config;
  // With none set (keys of AUTH_JWKS_URL alone) one of this process's own: were there no hash, everybody would be at one address,
  // and any stranger could use up its limits for all.
  const desk = new AddressDesk(config, askAddress, secret ?? batchSecret ?? randomId());
  const hashes = new Map<string, string>();
  return {
    config,
    kinds,
    verifier: new Verifier({ ...(secret === undefined ? {} : { secret }), ...(jwks ? { jwks } : {}) }),
    desk,
    async from(request) {
      // In its normal form: somebody with a /64 has a new spelling for each request.
      const told = normalAddress((await addressOf(request)) ?? "");
      if (told === undefined) return undefined;
      const known = hashes.get(told);
      if (known !== undefined) return known;
      const hash = await desk.hash(told);
      if (hashes.size >= MAX_HASHES) hashes.clear();
      // Not the promise: one of a request that is cut off is never kept.
      if (hash !== undefined) hashes.set(told, hash);
      return hash;
    },
  };
}
