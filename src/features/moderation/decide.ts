import { type Role, roles } from "../../protocol/codes";
import { type Asked, defineFeature, type Refusal, refuse, type Situation } from "../../room/feature";
import { holdOn, liftHold, mutingHold, spareOf, turnedAway } from "./address-holds";
import { askBans, askPlaces, bansWritten, holds, isToBeTold, placesTold, wordOfBans } from "./bans";
import { farewellOf, notYet } from "./farewells";
import { heldOf } from "./held";
import { type Hidden, hide, nothingHidden } from "./hidden";
import { moderationSchema } from "./schema";
import { initial, type ModerationState, reduce, version } from "./state";

/** Whoever was kicked may come back after this: time to think, and no ban. */
export const KICKED_MS = 60_000;
/** Muted without an end: the last time that a `Date` can bear, so that whatever reads `untilMs` as a time can. */
export const FOREVER = 8_640_000_000_000_000;
/** As many as the list of members: it travels in every welcome. */
const MAX_MUTED = 200;
/** A thousand bans that nobody outside has been told of: whoever keeps them has been away for long. */
const MAX_OWED = 1_000;
const UNMUTE = "unmute";
/** A frame bears no more, should their ids be the longest that there are. */
const UNMUTED_AT_ONCE = 100;

type Seen = Situation<ModerationState, Hidden>;
type AskedHere = Asked<ModerationState, Hidden>;

/** A user id of 128 characters of four bytes; nobody clicks faster than this, and a script has no business here. */
const about = { maxBytes: 640, rate: { count: 60, perMs: 60_000 }, who: "host" } as const;

export const moderation = defineFeature({
  name: "moderation",
  version,
  schema: moderationSchema,
  shared: { initial, reduce },
  private: { initial: nothingHidden, reduce: hide },
  actions: {
    kick: {
      ...about,
      decide(asked, { user }) {
        if (!asked.members.has(user)) return refuse("unknown_user", "Nobody of that id is in this room.");
        const untilMs = asked.at + KICKED_MS;
        return (
          spared(asked, user) ?? {
            events: [{ n: "kicked", d: { user } }],
            private: [{ n: "kept", d: { user, untilMs } }, ...holdOn(asked, "kick", user, untilMs)],
            ends: [{ user, ...notYet(KICKED_MS) }],
          }
        );
      },
    },
    mute: {
      ...about,
      decide(asked, { user, forMs }) {
        const { state, at } = asked;
        const refusal = spared(asked, user);
        if (refusal) return refusal;
        if (!Object.hasOwn(state.muted, user) && Object.keys(state.muted).length >= MAX_MUTED) {
          return refuse("unavailable", `A room mutes ${MAX_MUTED} people at most: unmute one, or ban.`);
        }
        const untilMs = forMs === undefined ? FOREVER : Math.min(FOREVER, at + forMs);
        return {
          events: [{ n: "muted", d: { user, untilMs } }],
          private: holdOn(asked, "mute", user, untilMs),
          timers: wakeFor(asked, user, untilMs),
        };
      },
    },
    unmute: {
      ...about,
      decide(asked, { user }) {
        const spare = spareOf(asked, user);
        if (!isMuted(asked, user) && spare.length === 0) {
          return refuse("conflict", "That user is not muted.");
        }
        const lifted = [...liftHold(asked, "mute", user), ...spare];
        return spared(asked, user) ?? { events: [{ n: "unmuted", d: { user } }], private: lifted };
      },
    },
    ban: {
      ...about,
      // With a reason of 200 characters.
      maxBytes: 2_048,
      decide(asked, { user, reason, untilMs, scope }) {
        const refusal = onlyAdminsEverywhere(asked, scope) ?? spared(asked, user) ?? tooMuchOwed(asked);
        if (refusal) return refusal;
        if (untilMs !== undefined && untilMs <= asked.at) {
          return refuse("bad_data", "A ban ends later than now: untilMs has passed.");
        }
        const until = untilMs === undefined ? {} : { untilMs };
        const why = reason === undefined ? {} : { reason };
        const from = asked.members.get(user)?.from;
        const whence = from === undefined ? {} : { from };
        return {
          events: [{ n: "banned", d: { user, scope, ...until } }],
          private: [
            { n: "barred", d: { user, scope, by: asked.by.user, ...until, ...why, ...whence } },
            ...holdOn(asked, "ban", user, untilMs),
          ],
          ends: [{ user, ...farewellOf(scope, why) }],
          errands: ["bans"],
        };
      },
    },
    unban: {
      ...about,
      decide(asked, { user, scope }) {
        const refusal = onlyAdminsEverywhere(asked, scope) ?? tooMuchOwed(asked);
        if (refusal) return refusal;
        const all = leadsEverywhere(asked) ? (["room", "everywhere"] as const) : (["room"] as const);
        const lifted = scope === undefined ? all : [scope];
        return {
          events: lifted.map((each) => ({ n: "unbanned" as const, d: { user, scope: each } })),
          private: [
            ...lifted.map((each) => ({
              n: "lifted" as const,
              d: { user, scope: each, by: asked.by.user },
            })),
            ...liftHold(asked, "ban", user),
          ],
          errands: ["bans"],
        };
      },
    },
  },

  permits(situation, { isSpeech, by }) {
    // Whoever muted an admin did not know who that was: nobody may.
    if (!isSpeech || by.role === "admin") return undefined;
    if (!isMuted(situation, by.user)) {
      const hold = mutingHold(situation, situation.members.get(by.user));
      return hold && refuse("muted", ADDRESS_MUTED, hold.untilMs - situation.at);
    }
    const untilMs = situation.state.muted[by.user] as number;
    if (untilMs === FOREVER) return refuse("muted", "You are muted in this room.");
    return refuse("muted", "You are muted in this room for a while.", untilMs - situation.at);
  },

  admits(situation, newcomer) {
    const { at, private: hidden } = situation;
    const { user, role, askedAt } = newcomer;
    const keptUntil = heldOf(hidden.kept, user) ?? 0;
    if (keptUntil > at) return notYet(keptUntil - at);
    for (const scope of ["everywhere", "room"] as const) {
      const ban = heldOf(hidden[scope], user);
      // A host decided it before anybody knew who that was: nobody keeps out an equal or higher role.
      if (scope === "room" && role === "admin") continue;
      // A room knows its own bans best.
      if (holds(ban, at, scope === "room" ? undefined : askedAt)) return farewellOf(scope, ban);
    }
    return turnedAway(situation, newcomer);
  },

  /** Who is more than a player is remembered: a host who is away is no player. */
  joined({ at, private: hidden }, { user, role }) {
    const known = heldOf(hidden.ranks, user) ?? "player";
    const ranked = known === role ? [] : [{ n: "ranked" as const, d: { user, role } }];
    // Who is in after all is banned no longer, or will be found out at once.
    const stale = heldOf(hidden.everywhere, user);
    const isStale = stale !== undefined && (stale.untilMs ?? Number.POSITIVE_INFINITY) > at;
    const askedAt = stale?.askedAt === undefined ? {} : { askedAt: stale.askedAt + 1 };
    const lifted = isStale
      ? [{ n: "lifted" as const, d: { user, scope: "everywhere" as const, ...askedAt } }]
      : [];
    // Who is here as far as it was told: the outside may have heard since that they went, and its answer been lost.
    const again = hidden.here.includes(user) ? [user] : [];
    // And a room that was about to be cleaned up goes on.
    const untold =
      hidden.isEnded || again.length > 0 ? [{ n: "told" as const, d: { came: [], gone: again } }] : [];
    return { private: [...ranked, ...lifted, ...untold], errands: ["places"] };
  },

  /** The outside may have been told of them, and its answer been lost: then it has to hear that they went. */
  left({ members, private: { here, isEnded } }, { user }) {
    const untold =
      isEnded || here.includes(user) ? [] : [{ n: "told" as const, d: { came: [user], gone: [] } }];
    return { private: untold, errands: isToBeTold([...here, user], members) ? ["places"] : [] };
  },

  /** Whoever bans them elsewhere asks the outside where they come from. */
  moved: ({ private: { here } }, { user }) => ({
    ...(here.includes(user) ? { private: [{ n: "told", d: { came: [], gone: [user] } }] } : {}),
    errands: ["places"],
  }),

  heard: wordOfBans,

  errands: {
    // A crash that swallows the answer brings everybody back, and they are told of anew.
    places: { ask: askPlaces, answered: placesTold, isPatient: true },
    bans: { ask: askBans, answered: bansWritten },
  },

  /** Bans have to be told before the room goes; who was here need not be. A room that may come back goes on telling. */
  ending: ({ private: { isEnded, owed } }, isFinal) => ({
    ...(isEnded || !isFinal ? {} : { private: [{ n: "ended", d: {} }] }),
    errands: [...(isEnded ? [] : ["places"]), ...(owed.length > 0 ? ["bans"] : [])],
  }),

  /** Those whose time is over. The list shrinks a moment late; what they say is judged by the time itself. */
  due({ state, at }) {
    const over = Object.entries(state.muted).filter(([, untilMs]) => untilMs <= at);
    const some = over.slice(0, UNMUTED_AT_ONCE);
    const later = Object.values(state.muted).filter((untilMs) => untilMs > at);
    const next = some.length < over.length ? at : Math.min(...later);
    return {
      events: some.map(([user]) => ({ n: "unmuted", d: { user } })),
      ...(next < FOREVER ? { timers: { [UNMUTE]: next } } : {}),
    };
  },
});

function isMuted({ state, at }: Seen, user: string): boolean {
  return Object.hasOwn(state.muted, user) && (state.muted[user] as number) > at;
}

const ADDRESS_MUTED =
  "A guest at your address was muted or banned here, and so guests who are new there are muted. A host can unmute you.";

/** One timer for all who are muted: the next of them to be heard again. */
function wakeFor({ state }: Seen, user: string, untilMs: number): Record<string, number | null> {
  const others = Object.entries(state.muted).filter(([muted]) => muted !== user);
  const next = Math.min(untilMs, ...others.map(([, until]) => until));
  return { [UNMUTE]: next < FOREVER ? next : null };
}

/** Nobody moderates an equal or higher role. Whom nobody has seen here is taken for a player. */
function spared({ members, private: hidden, by }: AskedHere, user: string): Refusal | undefined {
  const role: Role = members.get(user)?.role ?? heldOf(hidden.ranks, user) ?? "player";
  // Nor oneself, over HTTP from outside the room either.
  if (user !== by.user && roles.indexOf(role) < roles.indexOf(by.role)) return undefined;
  return refuse("not_allowed", "Nobody moderates an equal or higher role.");
}

function onlyAdminsEverywhere(asked: AskedHere, scope: string | undefined): Refusal | undefined {
  if (scope !== "everywhere" || leadsEverywhere(asked)) return undefined;
  return refuse("not_allowed", "Only an admin whose token is for all rooms bans or unbans everywhere.");
}

/** An admin for some rooms is an admin there, and nowhere else. */
function leadsEverywhere({ by }: AskedHere): boolean {
  return by.role === "admin" && by.allRooms === true;
}

function tooMuchOwed({ private: { owed } }: Seen): Refusal | undefined {
  if (owed.length < MAX_OWED) return undefined;
  return refuse("unavailable", "Whoever keeps the bans is away, and this room remembers no more of them.");
}
