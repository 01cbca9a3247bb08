import { z } from "zod";
import { closeCodes, roles } from "../../protocol/codes";
import type { Close } from "../../room/api/feature";

/** What rooms and whoever keeps the bans say to each other, in process or signed over HTTP. */
const knownBan = z.object({
  scope: z.enum(["room", "everywhere"]),
  reason: z.string().optional(),
  untilMs: z.number().optional(),
});

/** A room tells who came and who went, as of a time of its own. */
export const presenceReport = z.object({
  at: z.number(),
  came: z.array(z.object({ user: z.string(), role: z.enum(roles), from: z.string().optional() })),
  gone: z.array(z.string()),
});
/** Noted, and answered with the bans of those who came: an edge may have let somebody in that it should not have. */
export const presenceAnswer = z.object({
  askedAt: z.number(),
  came: z.array(z.string()),
  gone: z.array(z.string()),
  bans: z.array(knownBan.extend({ user: z.string() })),
});

/** Bans that were decided in a room, oldest first, for the database. */
export const banWrites = z.object({
  writes: z.array(
    knownBan.extend({
      n: z.int(),
      user: z.string(),
      by: z.string(),
      at: z.number(),
      isLifted: z.boolean(),
      /** The keyed hash of where a guest is: nobody new comes from there for a while. */
      from: z.string().optional(),
    }),
  ),
});
export const banWritesAnswer = z.object({
  askedAt: z.number(),
  done: z.array(z.int()),
  /** Of those done: not set, for the user is an admin elsewhere. */
  refused: z.array(z.int()).default([]),
});

/** A user's bans everywhere have changed: told to each room that the user is in. */
export const banNotice = z.object({ askedAt: z.number(), user: z.string(), bans: z.array(knownBan) });

export type PresenceReport = z.infer<typeof presenceReport>;
export type PresenceAnswer = z.infer<typeof presenceAnswer>;
export type BanWrites = z.infer<typeof banWrites>;
export type BanWritesAnswer = z.infer<typeof banWritesAnswer>;
export type BanNotice = z.infer<typeof banNotice>;

/** How the connection of a banned user is closed, and what the user is told. */
export function bannedClose(
  scope: "room" | "everywhere",
  { reason }: { reason?: string | undefined },
): Close {
  const from = scope === "room" ? "You are banned from this room" : "You are banned";
  return {
    closeCode: closeCodes.notAllowed,
    reason: reason === undefined ? `${from}.` : `${from}: ${reason}`,
  };
}
