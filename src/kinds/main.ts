import { chat } from "../features/chat/decide";
import { presence } from "../features/presence/decide";
import { defineKind } from "../room/kind";

/** A room to be in and to talk. */
export const main = defineKind({ name: "main", features: [presence, chat] });
