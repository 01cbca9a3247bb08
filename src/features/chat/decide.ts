import { defineFeature, refuse } from "../../room/feature";
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
      // Faster than anybody types for a minute; a flood at a glance.
      rate: { count: 10, perMs: 60_000 },
      decide: ({ by }, { text }) => ({ events: [{ n: "said", d: { name: by.name, text } }] }),
    },
    remove: {
      maxBytes: 64,
      rate: { count: 30, perMs: 60_000 },
      decide({ state, by }, { id }) {
        const message = state.messages.find((held) => held.id === id);
        if (!message) return refuse("conflict", "That message is not in the room any more.");
        if (message.user !== by.user && by.role === "player") {
          return refuse("not_allowed", "Only its author or a host may remove a message.");
        }
        return { events: [{ n: "removed", d: { id } }] };
      },
    },
  },
  signals: {
    // Told every few seconds while somebody types.
    typing: { maxBytes: 64, rate: { count: 10, perMs: 10_000 } },
  },
});
