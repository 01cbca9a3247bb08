import { z } from "zod";
import { text } from "../../protocol/schema/fields";

export const chatSchema = {
  actions: {
    say: z.object({ text: text(1, 500) }),
    remove: z.object({ id: z.int().positive() }),
  },
  events: {
    said: z.object({ name: z.string(), text: z.string(), role: z.enum(["host", "admin"]).optional() }),
    removed: z.object({ id: z.int() }),
  },
  signals: {
    typing: z.object({}),
  },
};
