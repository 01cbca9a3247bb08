/** `tallyroom/server`: what a server of your own is made of. */

export { chat } from "../features/chat/decide";
export { moderation } from "../features/moderation/decide";
export { presence } from "../features/presence/decide";
export { scores } from "../features/scores/decide";
export { main } from "../kinds/main";
export type { EffectHandler, EffectHandlers } from "../lib/effect-handler";
export { ipLimitsParty } from "../platforms/ip-limits-party";
export { jsonWithin, text } from "../protocol/schema/fields";
export type { Actor, AnyFeature, Feature, FeatureContext, Outcome, Refusal } from "../room/api/feature";
export { defineFeature, refuse } from "../room/api/feature";
export type { Kind } from "../room/api/kind";
export { defineKind } from "../room/api/kind";
export { partyOf } from "./party";
export { serve } from "./serve";
