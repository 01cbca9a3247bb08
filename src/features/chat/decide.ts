import { roles } from "../../protocol/codes";
import { rateOf } from "../../protocol/rates";
import { defineFeature, refuse } from "../../room/api/feature";
import { chatSchema } from "./schema";
import { initial, reduce, version } from "./state";

export const chat = defineFeature({
  name: "chat",
  version,
  schema: chatSchema,
  shared: { initial, reduce },
  actions: {
    say: {
      // 500 characters of four bytes, or of six where JSON escapes them.
      maxBytes: 3_072,
      rate: rateOf("chat.say"),
      isSpeech: true,
      decide({ by, filterText: clean }, { text }) {
        const told = clean(text);
        if (!told) return refuse("not_allowed", "That has words in it that are not said here.");
        const { name, role, isOverHttp: forRoom } = by;
        const rank = forRoom || role === "player" ? {} : { role };
        return { events: [{ n: "said", d: { name, text: told, ...rank } }] };
      },
    },
    remove: {
      maxBytes: 64,
      rate: rateOf("chat.remove"),
      decide({ state, by, members }, { id }) {
        const message = state.messages.find((held) => held.id === id);
        if (!message) return refuse("conflict", "That message is not in the room any more.");
        if (message.user === by.user) return { events: [{ n: "removed", d: { id } }] };
        if (by.role === "player") {
          return refuse("not_allowed", "Only its author or a host may remove a message.");
        }
        // As it was written, and as they are here now; the room's own lines are nobody's.
        const theirs = [message.role, members.get(message.user)?.role];
        if (theirs.some((role) => role !== undefined && roles.indexOf(role) >= roles.indexOf(by.role))) {
          return refuse("not_allowed", "Nobody moderates an equal or higher role.");
        }
        return { events: [{ n: "removed", d: { id } }] };
      },
    },
  },
  signals: {
    typing: { maxBytes: 64, rate: rateOf("chat.typing"), isSpeech: true },
  },
});
