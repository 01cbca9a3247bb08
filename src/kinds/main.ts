import { chat } from "../features/chat/decide";
import { moderation } from "../features/moderation/decide";
import { presence } from "../features/presence/decide";
import { scores } from "../features/scores/decide";
import { defineKind } from "../room/api/kind";

/** A room to be in, to talk and to score, with somebody to keep the peace. */
export const main = defineKind({
  name: "main",
  features: [presence, chat, moderation, scores],
  boards: { main: { combine: "sum", periods: ["all", "day", "week"] } },
  words: "mask",
});
