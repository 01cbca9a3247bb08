/** What a server of one's own is made of: `tallyroom/server`. */

export { ipLimitsParty } from "../edge/ip-limits/partykit-ip";
export { chat } from "../features/chat/decide";
export { moderation } from "../features/moderation/decide";
export { presence } from "../features/presence/decide";
export { scores } from "../features/scores/decide";
export { main } from "../kinds/main";
export { partyOf } from "../platforms/partykit";
export type { EffectHandler, EffectHandlers } from "../platforms/run-effect";
export { jsonWithin, text } from "../protocol/schema/fields";
export type { Actor, AnyFeature, Feature, FeatureContext, Outcome, Refusal } from "../room/api/feature";
export { defineFeature, refuse } from "../room/api/feature";
export type { Kind } from "../room/api/kind";
export { defineKind } from "../room/api/kind";
export { serve } from "./serve";
