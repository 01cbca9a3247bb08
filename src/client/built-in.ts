import * as chat from "../features/chat/state";
import * as moderation from "../features/moderation/state";
import * as presence from "../features/presence/state";
import * as scores from "../features/scores/state";
import type { FeatureTable } from "./session/slices";

/**
 * The states of all built-in features, a few hundred bytes each. With them, a built-in kind can be joined by its name. Each
 * export is named, because a module passed on as a whole is bundled with all its exports.
 */
export const builtInFeatures: FeatureTable = {
  presence: { version: presence.version, initial: presence.initial, reduce: presence.reduce },
  chat: { version: chat.version, initial: chat.initial, reduce: chat.reduce },
  moderation: { version: moderation.version, initial: moderation.initial, reduce: moderation.reduce },
  scores: { version: scores.version, initial: scores.initial, reduce: scores.reduce },
};
