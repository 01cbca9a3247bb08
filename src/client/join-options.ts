import type { Credentials } from "./browser/token-provider";
import type { TokenStore } from "./browser/token-store";
import type { AnyKind, FeatureStates, Predictions } from "./typed-kind";

export type JoinOptions<K extends AnyKind> = Credentials & {
  /** Where the rooms are; the page's own host if absent. */
  host?: string;
  room: string;
  kind: K["name"];
  /** What one's own actions will come to: shown at once, and replaced by what really happens. */
  optimistic?: Predictions<K>;
  /** A class like the browser's: `ws` where there is none. */
  WebSocket?: new (
    ...args: never[]
  ) => object;
  /** Where a guest is remembered; `localStorage` if there is one. */
  storage?: TokenStore;
  /** Names this tab to the room, at least 20 characters; a fresh one if absent. A newer socket of one tab replaces the older. */
  tab?: string;
} & FeaturesOption<K>;

/** Has to be there as soon as a feature is not one that comes with Tallyroom. */
type FeaturesOption<K extends AnyKind> =
  Record<never, never> extends FeatureStates<K>
    ? { features?: FeatureStates<K> }
    : { features: FeatureStates<K> };

export interface DoOptions {
  /** To ask again under the same id, so that it cannot be done twice. */
  id?: string;
  /** How long it may wait, for the room to be reached or to answer; a minute if absent. */
  timeoutMs?: number;
}
