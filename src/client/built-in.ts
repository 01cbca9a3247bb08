import * as chat from "../features/chat/state";
import * as moderation from "../features/moderation/state";
import * as presence from "../features/presence/state";
import * as scores from "../features/scores/state";
import type { FeatureTable } from "./session/slices";

/** The states of all features that come with Tallyroom: a few hundred bytes each, so that a kind is known by its name. */
export const builtInFeatures: FeatureTable = { presence, chat, moderation, scores };
