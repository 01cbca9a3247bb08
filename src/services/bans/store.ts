import { and, asc, eq, gt, inArray, isNull, lt, lte, or, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { bans } from "../boards/store/schema";

/** Who is kept out, of what, until when: a row of the table. */
export type Ban = typeof bans.$inferSelect;

/** The scope of a ban that holds in every room; any other is a room's `kind/id`. */
export const EVERYWHERE = "everywhere";

/** The bans in force of some users in some scopes: one statement, however many they are. */
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

/** Of a scope, by user id, from behind one on. */
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

/** Bans of all scopes, from behind one on: a copy of the table is read this way. */
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

/** Sets or changes a ban. A word that is older than what stands changes nothing: calls may overtake each other. */
export async function putBan(db: D1Database, ban: Ban): Promise<void> {
  const { reason, by, at, untilMs } = ban;
  await drizzle(db)
    .insert(bans)
    .values(ban)
    .onConflictDoUpdate({
      target: [bans.scope, bans.user],
      set: { reason, by, at, untilMs },
      setWhere: lte(bans.at, at),
    });
}

/**
 * Answers whether there was one. A ban that is newer than `at` stands. What was lifted is kept for a while as a ban that is over,
 * so that a call which was overtaken, or is made again, does not set it anew.
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

/** Of a ban that was lifted: it ended before anything began. */
const LIFTED = 0;
/** Nothing is under way for so long. */
const KEEP_LIFTED_MS = 86_400_000;

function inForce(now: number) {
  return or(isNull(bans.untilMs), gt(bans.untilMs, now));
}
