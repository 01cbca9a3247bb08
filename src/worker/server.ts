/** What a server of one's own is made of: `tallyroom/server`. */
export { chat } from "../features/chat/decide";
export { moderation } from "../features/moderation/decide";
export { presence } from "../features/presence/decide";
export { scores } from "../features/scores/decide";
export { main } from "../kinds/main";
export { addressParty } from "../platform/addresses/partykit-address";
export type { ErrandHandler, ErrandHandlers } from "../platform/errands";
export { partyOf } from "../platform/partykit";
export { jsonWithin, text } from "../protocol/schema/fields";
export type { AnyFeature, Feature, Outcome, Refusal, Situation, Speaker } from "../room/feature";
export { defineFeature, refuse } from "../room/feature";
export type { Kind } from "../room/kind";
export { defineKind } from "../room/kind";
export { serve } from "./serve";
