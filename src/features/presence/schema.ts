import { z } from "zod";
import { roles } from "../../protocol/codes";
import { jsonWithin, text } from "../../protocol/schema/fields";

export const presenceSchema = {
  actions: {
    /** What is left out stays as it is; an empty status or `null` data clears. */
    set: z.object({ status: text(0, 64).optional(), data: jsonWithin(1024).optional() }),
  },
  events: {
    joined: z.object({
      user: z.string(),
      name: z.string(),
      role: z.enum(roles),
      guest: z.literal(true).optional(),
    }),
    left: z.object({ user: z.string() }),
    changed: z.object({ user: z.string(), status: z.string().optional(), data: jsonWithin(1024).optional() }),
    counted: z.object({ count: z.int().nonnegative() }),
  },
};
