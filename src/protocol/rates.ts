/**
 * Every rate there is, in one place, each with its reason: how often a user, a connection or an address may do a thing.
 * A kind may differ (`defineKind({ rules })`), and so may a deployment, by the variable named here or by RULE_LIMITS.
 * docs/operations.md lists them; `npm run limits` writes that list, and a test holds it to this one.
 */

/** At most `count` times in any `perMs` milliseconds. */
export interface Rate {
  count: number;
  perMs: number;
}

export interface Limit extends Rate {
  /** The variable that changes it; RULE_LIMITS changes any rule of a feature. */
  variable?: string;
  why: string;
}

/** Of a user in a room, and of a guest's address beside that: a new guest is no new window. */
export const userRates = {
  "chat.say": {
    count: 10,
    perMs: 60_000,
    variable: "CHAT_LIMIT",
    why: "faster than anybody types for a minute; a flood at a glance",
  },
  "chat.remove": { count: 30, perMs: 60_000, why: "a host who tidies up, message by message" },
  "chat.typing": { count: 10, perMs: 10_000, why: "told every few seconds while somebody types" },
  "presence.set": {
    count: 20,
    perMs: 10_000,
    why: "a status follows what a person does, not what their pointer does: that is a signal's work",
  },
  "moderation.kick": { count: 60, perMs: 60_000, why: "one a second is a host who clears a room by hand" },
  "moderation.mute": { count: 60, perMs: 60_000, why: "as kick" },
  "moderation.unmute": { count: 60, perMs: 60_000, why: "as kick" },
  "moderation.ban": { count: 60, perMs: 60_000, why: "as kick" },
  "moderation.unban": { count: 60, perMs: 60_000, why: "as kick" },
  "scores.award": {
    count: 1_000,
    perMs: 1_000,
    why: "a game's server that pays out to a hall one by one, as fast as a room takes requests; what players enter themselves has its board's own bounds",
  },
} as const satisfies Record<string, Limit>;

/** A feature's own rate: `rate: rateOf("chat.say")`. */
export function rateOf(rule: keyof typeof userRates): { count: number; perMs: number } {
  const { count, perMs } = userRates[rule];
  return { count, perMs };
}

/** Somebody with two screens and two tabs on each; past that, more tabs are no more windows. */
const CONNECTIONS_PER_USER = 4;

/** What all connections of a user have together, where one has so much. */
export function perUserRate({ count, perMs }: { count: number; perMs: number }): {
  count: number;
  perMs: number;
} {
  return { count: count * CONNECTIONS_PER_USER, perMs };
}

/** Guests of one address: a classroom of thirty, each as busy as half a connection may be. */
const GUESTS_AT_ONCE = 4;

/** What all guests of an address have together: a new guest is no new window, but a room full of them is more than one. */
export function guestsOf(user: { count: number; perMs: number }): { count: number; perMs: number } {
  return { count: user.count * GUESTS_AT_ONCE, perMs: user.perMs };
}

/** What each connection of a guest has for itself, so that no other guest of the address can keep it from telling that it reads. */
export const GUEST_SHARE = { count: 10, perMs: 10_000 } as const;

/** Of one socket; those of a user have four times as much together, and all guests of an address four times that. */
export const connectionRates = {
  connection: {
    count: 50,
    perMs: 1_000,
    variable: "ACTION_LIMIT",
    why: "all messages but `ping` and `seen`: a game's worth of actions; decoding more is work for nobody",
  },
  upkeep: {
    count: 1_000,
    perMs: 10_000,
    why: "`ping` and `seen`: a client that tells of every frame needs a third of it",
  },
  verify: {
    count: 20,
    perMs: 10_000,
    why: "a client asks for checksums once in a while, and a large state takes milliseconds to sum",
  },
} as const satisfies Record<string, Limit>;

export type AddressRuleName = "connect" | "newRoom" | "guest" | "failedToken" | "read" | "readMiss" | "live";

/** Of an address: what one person can have done by opening more sockets, guests and rooms. */
export const addressRates = {
  connect: {
    count: 120,
    perMs: 60_000,
    variable: "CONNECT_LIMIT",
    what: "connections",
    why: "a classroom that reloads at once, twice over; every attempt counts",
  },
  newRoom: {
    count: 10,
    perMs: 900_000,
    variable: "NEW_ROOM_LIMIT",
    what: "new rooms",
    why: "a room is storage and an alarm; nobody opens more by hand. Admins are not counted",
  },
  guest: {
    count: 60,
    perMs: 900_000,
    variable: "GUEST_LIMIT",
    what: "new guests",
    why: "two classrooms of guests; one who comes back is no new guest",
  },
  failedToken: {
    count: 20,
    perMs: 900_000,
    variable: "FAILED_TOKEN_LIMIT",
    what: "bad tokens",
    why: "a client that was set up wrongly, a few times over. A token that merely ended is not counted, and one known to be good is let in all the same",
  },
  read: {
    count: 1_000,
    perMs: 60_000,
    variable: "READ_LIMIT",
    what: "reads",
    why: "GETs of rooms and boards: a page that polls each second, sixteen times over. Those of boards are counted by each process for itself, since what is answered from memory costs nobody else anything. A guest who is renewed counts as one",
  },
  readMiss: {
    count: 100,
    perMs: 60_000,
    variable: "READ_LIMIT",
    what: "reads that no cache could answer",
    why: "of board reads that miss the cache: a tenth of READ_LIMIT, since each reaches the database",
  },
  live: {
    count: 200,
    perMs: 3_600_000,
    variable: "LIVE_LIMIT",
    what: "live streams",
    why: "streams of boards last an hour at most, so no more than these are open at once; a classroom whose network breaks every ten minutes",
  },
} as const satisfies Record<AddressRuleName, Limit & { what: string }>;

/** Of the /48 of an IPv6, in which there are 65,536 addresses of ours: so many times what one address may. NETWORK_LIMITS changes them. */
export const networkRates = {
  connect: { times: 10, why: "a school with a subnet for each of ten classrooms" },
  newRoom: {
    times: 5,
    why: "few people of one site or one carrier open rooms at the same time; one person with a /48 could open 655,360",
  },
  guest: { times: 10, why: "a hall whose phones come from one carrier, each with a /64 of its own" },
  failedToken: {
    times: 10,
    why: "carriers give each phone a /64 of its own: three clients that were set up wrongly lock out no neighbours",
  },
  read: { times: 10, why: "as connections" },
  readMiss: { times: 10, why: "as connections" },
  live: { times: 10, why: "as connections" },
} as const satisfies Record<AddressRuleName, { times: number; why: string }>;

/** What a network may where one of its addresses may so much. */
export function networkRateOf(
  rule: AddressRuleName,
  { count, perMs }: { count: number; perMs: number },
): { count: number; perMs: number } {
  return { count: count * networkRates[rule].times, perMs };
}

/** How long whoever had to be closed for too much stays away: doubled each time within the hour, up to a quarter of it. */
export const PENALTY_MS = { first: 10_000, most: 900_000, rememberedMs: 3_600_000 } as const;
