import type { Credentials } from "./browser/token-provider";
import type { TokenStore } from "./browser/token-store";
import type { AnyKind, FeatureStates, Predictions } from "./typed-kind";

export type JoinOptions<K extends AnyKind> = Credentials & {
  /** Where the rooms are; the page's own host if absent. */
  host?: string;
  room: string;
  kind: K["name"];
  /** Predicts this user's actions. The prediction shows at once, and the real event replaces it. */
  optimistic?: Predictions<K>;
  /** A class like the browser's `WebSocket`, such as that of `ws`, where there is none. */
  WebSocket?: new (
    ...args: never[]
  ) => object;
  /** Where a guest's token is stored; `localStorage` if there is one. */
  storage?: TokenStore;
  /** Names this tab to the room, at least 20 characters; a fresh one if absent. A newer socket of one tab replaces the older. */
  tab?: string;
} & FeaturesOption<K>;

/** Required as soon as the kind has a feature that is not built in. */
type FeaturesOption<K extends AnyKind> =
  Record<never, never> extends FeatureStates<K>
    ? { features?: FeatureStates<K> }
    : { features: FeatureStates<K> };

export interface DoOptions {
  /** Pass the same id again to repeat an action without doing it twice. */
  id?: string;
  /** How long the action may wait for a connection and an answer; a minute if absent. */
  timeoutMs?: number;
}
