import { and, asc, eq, gt, inArray, isNull, lt, lte, or, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { bans } from "./schema";

/** A row of the table. */
export type Ban = typeof bans.$inferSelect;

/** The scope of a ban that holds in every room; any other is a room's `kind/id`. */
export const EVERYWHERE = "everywhere";

/** The bans in force of some users in some scopes. One statement for any number of users. */
export function findBans(
  db: D1Database,
  users: readonly string[],
  scopes: readonly string[],
  now: number,
): Promise<Ban[]> {
  const ofUsers = sql`${bans.user} in (select value from json_each(${JSON.stringify(users)}))`;
  return drizzle(db)
    .select()
    .from(bans)
    .where(and(inArray(bans.scope, [...scopes]), ofUsers, inForce(now)));
}

/** The bans in force of a scope, by user id, after one user. */
export function listBans(
  db: D1Database,
  scope: string,
  { after, limit }: { after: string; limit: number },
  now: number,
): Promise<Ban[]> {
  return drizzle(db)
    .select()
    .from(bans)
    .where(and(eq(bans.scope, scope), gt(bans.user, after), inForce(now)))
    .orderBy(asc(bans.user))
    .limit(limit);
}

/** The bans in force of all scopes, after one. A copy of the table is read this way. */
export function pageOfBans(
  db: D1Database,
  after: Pick<Ban, "scope" | "user">,
  limit: number,
  now: number,
): Promise<Ban[]> {
  return drizzle(db)
    .select()
    .from(bans)
    .where(and(sql`(${bans.scope}, ${bans.user}) > (${after.scope}, ${after.user})`, inForce(now)))
    .orderBy(asc(bans.scope), asc(bans.user))
    .limit(limit);
}

/** Sets or changes a ban. A ban older than the stored one changes nothing, because calls may overtake each other. */
export async function putBan(db: D1Database, ban: Ban): Promise<void> {
  const { reason, by, at, untilMs, rank } = ban;
  await drizzle(db)
    .insert(bans)
    .values(ban)
    .onConflictDoUpdate({
      target: [bans.scope, bans.user],
      set: { reason, by, at, untilMs, rank },
      setWhere: lte(bans.at, at),
    });
}

/**
 * Returns whether a ban was in force. A ban that is newer than `at` stays. A lifted ban is kept for a while as a ban that has
 * ended, so that a call which was overtaken, or is retried, does not set it again.
 */
export async function liftBan(
  db: D1Database,
  scope: string,
  user: string,
  { by, at }: Pick<Ban, "by" | "at">,
): Promise<boolean> {
  const lifted = { by, at, reason: null, untilMs: LIFTED };
  const orm = drizzle(db);
  const [found] = await orm.batch([
    orm
      .select({ user: bans.user })
      .from(bans)
      .where(and(eq(bans.scope, scope), eq(bans.user, user), lte(bans.at, at), inForce(at))),
    orm
      .insert(bans)
      .values({ scope, user, ...lifted })
      .onConflictDoUpdate({ target: [bans.scope, bans.user], set: lifted, setWhere: lte(bans.at, at) }),
    orm.delete(bans).where(and(eq(bans.untilMs, LIFTED), lt(bans.at, at - KEEP_LIFTED_MS))),
  ]);
  return found.length > 0;
}

/** The end of a lifted ban: a time before every other. */
const LIFTED = 0;
/** No call is in flight for longer than this. */
const KEEP_LIFTED_MS = 86_400_000;

function inForce(now: number) {
  return or(isNull(bans.untilMs), gt(bans.untilMs, now));
}
