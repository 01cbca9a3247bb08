import * as chat from "../features/chat/state";
import * as moderation from "../features/moderation/state";
import * as presence from "../features/presence/state";
import * as scores from "../features/scores/state";
import type { FeatureTable } from "./session/slices";

/**
 * The states of all features that come with Tallyroom: a few hundred bytes each, so that a kind is known by its name. Written
 * out, since a module handed on as a whole is bundled with all that it exports.
 */
export const builtInFeatures: FeatureTable = {
  presence: { version: presence.version, initial: presence.initial, reduce: presence.reduce },
  chat: { version: chat.version, initial: chat.initial, reduce: chat.reduce },
  moderation: { version: moderation.version, initial: moderation.initial, reduce: moderation.reduce },
  scores: { version: scores.version, initial: scores.initial, reduce: scores.reduce },
};
