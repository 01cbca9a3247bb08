import { z } from "zod";
import { closeCodes, type Role, roles } from "../../protocol/codes";
import type { Close } from "../../room/api/feature";

const banInForce = z.object({
  scope: z.enum(["room", "everywhere"]),
  reason: z.string().optional(),
  untilMs: z.number().optional(),
  /** For a ban in a room: the role of the user who set it. */
  rank: z.enum(roles).optional(),
});

/** The users who joined and left a room, at a time of that room. */
export const presenceReport = z.object({
  at: z.number(),
  came: z.array(
    z.object({
      user: z.string(),
      role: z.enum(roles),
      /** An admin whose token is for every room. */
      allRooms: z.literal(true).optional(),
      from: z.string().optional(),
    }),
  ),
  gone: z.array(z.string()),
});
/** The report was stored. `bans` holds the bans of the users who joined, in case an edge admitted a banned user. */
export const presenceAnswer = z.object({
  askedAt: z.number(),
  came: z.array(z.string()),
  gone: z.array(z.string()),
  bans: z.array(banInForce.extend({ user: z.string() })),
});

/** Bans that a room has decided, oldest first, to be stored in the database. */
export const banWrites = z.object({
  writes: z.array(
    banInForce.extend({
      n: z.int(),
      user: z.string(),
      by: z.string(),
      at: z.number(),
      isLifted: z.boolean(),
      /** The keyed hash of a guest's address. New guests from there are blocked for a while. */
      from: z.string().optional(),
    }),
  ),
});
export const banWritesAnswer = z.object({
  askedAt: z.number(),
  done: z.array(z.int()),
  /** The writes among `done` that were rejected because the user is an admin elsewhere. */
  refused: z.array(z.int()).default([]),
});

/** A user's bans everywhere have changed. Sent to each room that the user is in. */
export const banNotice = z.object({ askedAt: z.number(), user: z.string(), bans: z.array(banInForce) });

export type PresenceReport = z.infer<typeof presenceReport>;
export type PresenceAnswer = z.infer<typeof presenceAnswer>;
export type BanWrites = z.infer<typeof banWrites>;
export type BanWritesAnswer = z.infer<typeof banWritesAnswer>;
export type BanNotice = z.infer<typeof banNotice>;

/*
 * SQL for other services, which use it inside their own transactions. The arguments are SQL expressions, not values.
 */

/** A condition: the user is banned everywhere or from this room. Two look-ups by the whole key; a miss reads no row. */
export function bannedSql(user: string, room: string, now: string): string {
  const inForce = `user = ${user} and ${inForceSql(now)}`;
  return `(exists (select 1 from bans where scope = 'everywhere' and ${inForce})
    or exists (select 1 from bans where scope = ${room} and ${inForce}))`;
}

/** A query for the users who are banned everywhere or from this room. */
export function bannedUsersSql(room: string, now: string): string {
  return `select user from bans where scope = 'everywhere' and ${inForceSql(now)}
    union
    select user from bans where scope = ${room} and ${inForceSql(now)}`;
}

function inForceSql(now: string): string {
  return `(until_ms is null or until_ms > ${now})`;
}

/** Erases a user, ?1, from the bans: the reasons of their own, and their name on those they set. No user id is empty. */
export const ERASE_FROM_BANS = [
  "update bans set reason = null where user = ?1 and reason is not null",
  "update bans set by = '' where by = ?1",
] as const;
/** Counts the bans of a user, ?1. Erasing the user keeps them. */
export const COUNT_BANS_OF_USER = "select count(*) as n from bans where user = ?1";
/** For the export of a user, ?1. */
export const EXPORT_BANS_OF_USER =
  "select scope, reason, at, until_ms as untilMs from bans where user = ?1 order by at";
/** For the export of a user, ?1: the bans they set, without whom they banned. */
export const EXPORT_BANS_BY_USER = "select scope, at from bans where by = ?1 order by at";

/** Whether a ban in a room applies to a user of this role. It does not apply to a role that equals or exceeds the setter's. */
export function appliesToRole({ rank = "admin" }: { rank?: Role | undefined }, role: Role): boolean {
  return roles.indexOf(role) < roles.indexOf(rank);
}

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
