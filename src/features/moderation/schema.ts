import { z } from "zod";
import { roles } from "../../protocol/codes";
import { MAX_USER_CHARS } from "../../protocol/limits";
import { text } from "../../protocol/schema/fields";

/** A year: whoever is to be silent for longer is muted without an end. */
const MAX_MUTE_MS = 366 * 86_400_000;
/** The last time that a `Date` can bear. */
const MAX_AT = 8_640_000_000_000_000;

const user = text(1, MAX_USER_CHARS);
const at = z.int().positive().max(MAX_AT);
const scope = z.enum(["room", "everywhere"]);
const aboutUser = z.object({ user: z.string() });

export const moderationSchema = {
  actions: {
    kick: z.object({ user }),
    mute: z.object({ user, forMs: z.int().positive().max(MAX_MUTE_MS).optional() }),
    unmute: z.object({ user }),
    ban: z.object({
      user,
      reason: text(1, 200).optional(),
      untilMs: at.optional(),
      scope: scope.default("room"),
    }),
    /** Without a scope: whatever the one who asks may lift. */
    unban: z.object({ user, scope: scope.optional() }),
  },
  events: {
    kicked: aboutUser,
    muted: z.object({ user: z.string(), untilMs: z.number() }),
    unmuted: aboutUser,
    banned: z.object({ user: z.string(), scope, untilMs: z.number().optional() }),
    unbanned: z.object({ user: z.string(), scope }),
  },
  privateEvents: {
    kept: z.object({ user: z.string(), untilMs: z.number() }),
    /** `by`: decided here, and owed to the database; otherwise it was told from outside, as of `askedAt`. */
    barred: z.object({
      user: z.string(),
      scope,
      untilMs: z.number().optional(),
      reason: z.string().optional(),
      by: z.string().optional(),
      from: z.string().optional(),
      askedAt: z.number().optional(),
      /** The role of the user who set it. */
      rank: z.enum(roles).optional(),
    }),
    /** As `barred`. */
    lifted: z.object({
      user: z.string(),
      scope,
      by: z.string().optional(),
      askedAt: z.number().optional(),
    }),
    /** The database has these. */
    written: z.object({ done: z.array(z.int()), askedAt: z.number() }),
    /** Whoever keeps the bans knows who is here. */
    told: z.object({ came: z.array(z.string()), gone: z.array(z.string()) }),
    /** The room ends: nobody need know who was here. */
    ended: z.object({}),
    /** What was done about a guest holds for new guests of the address and its network. */
    held: z.object({
      what: z.enum(["kick", "mute", "ban"]),
      user: z.string(),
      from: z.string(),
      at: z.number(),
      untilMs: z.number(),
      known: z.array(z.string()),
    }),
    /** It holds no longer: it was lifted for the guest that it was about. */
    released: z.object({ what: z.enum(["mute", "ban"]), user: z.string() }),
    /** A host lets somebody speak who was muted only for their address. */
    spared: z.object({ user: z.string(), from: z.string() }),
    /** A guest has left: a host may moderate them all the same, and they are not new when they come back. */
    departed: z.object({ user: z.string(), from: z.string() }),
    ranked: z.object({ user: z.string(), role: z.enum(roles) }),
  },
};
