import { type Role, roles } from "../../protocol/codes";
import {
  type ActionContext,
  defineFeature,
  type FeatureContext,
  type Refusal,
  refuse,
} from "../../room/api/feature";
import { appliesToRole, bannedClose } from "../../services/bans/contract";
import {
  isInForce,
  isToBeTold,
  onBanNotice,
  onBanWritesAnswer,
  onPresenceAnswer,
  requestBanWrites,
  requestPresence,
  undoRoomBan,
} from "./bans";
import { kickedClose } from "./close-reasons";
import { addressOf, noteDeparture } from "./departed-guests";
import { createHold, exemptGuest, liftHold, mutedUntil, rejectHeldGuest } from "./ip-holds";
import { initialPrivate, type PrivateState, reducePrivate } from "./private-state";
import { moderationSchema } from "./schema";
import { initial, type ModerationState, reduce, version } from "./state";
import { getFor } from "./user-list";

/** Whoever was kicked may come back after this: time to think, and no ban. */
export const KICK_MS = 60_000;
/** Muted without an end: the last time that a `Date` can bear, so that whatever reads `untilMs` as a time can. */
export const FOREVER = 8_640_000_000_000_000;
/** As many as the list of members: it travels in every welcome. */
const MAX_MUTED = 200;
/** A thousand bans that nobody outside has been told of: whoever keeps them has been away for long. */
const MAX_UNSENT = 1_000;
const UNMUTE = "unmute";
/** A frame bears no more, should their ids be the longest that there are. */
const UNMUTED_AT_ONCE = 100;

type Context = FeatureContext<ModerationState, PrivateState>;
type DecisionContext = ActionContext<ModerationState, PrivateState>;

/** A user id of 128 characters of four bytes; nobody clicks faster than this, and a script has no business here. */
const hostAction = { maxBytes: 640, rate: { count: 60, perMs: 60_000 }, who: "host" } as const;

export const moderation = defineFeature({
  name: "moderation",
  version,
  schema: moderationSchema,
  shared: { initial, reduce },
  private: { initial: initialPrivate, reduce: reducePrivate },
  actions: {
    kick: {
      ...hostAction,
      decide(asked, { user }) {
        if (!asked.members.has(user) && addressOf(asked, user) === undefined) {
          return refuse("unknown_user", "No user of that id is in this room.");
        }
        const untilMs = asked.at + KICK_MS;
        return (
          rejectEqualRole(asked, user) ?? {
            events: [{ n: "kicked", d: { user } }],
            private: [{ n: "kept", d: { user, untilMs } }, ...createHold(asked, "kick", user, untilMs)],
            disconnect: [{ user, ...kickedClose(KICK_MS) }],
          }
        );
      },
    },
    mute: {
      ...hostAction,
      decide(asked, { user, forMs }) {
        const { state, at } = asked;
        const refusal = rejectEqualRole(asked, user);
        if (refusal) return refusal;
        if (!Object.hasOwn(state.muted, user) && Object.keys(state.muted).length >= MAX_MUTED) {
          return refuse("unavailable", `A room mutes ${MAX_MUTED} people at most: unmute one, or ban.`);
        }
        const untilMs = forMs === undefined ? FOREVER : Math.min(FOREVER, at + forMs);
        return {
          events: [{ n: "muted", d: { user, untilMs } }],
          private: createHold(asked, "mute", user, untilMs),
          timers: wakeFor(asked, user, untilMs),
        };
      },
    },
    unmute: {
      ...hostAction,
      decide(asked, { user }) {
        const spare = exemptGuest(asked, user);
        if (!isMuted(asked, user) && spare.length === 0) {
          return refuse("conflict", "That user is not muted.");
        }
        const lifted = [...liftHold(asked, "mute", user), ...spare];
        return rejectEqualRole(asked, user) ?? { events: [{ n: "unmuted", d: { user } }], private: lifted };
      },
    },
    ban: {
      ...hostAction,
      // With a reason of 200 characters.
      maxBytes: 2_048,
      decide(asked, { user, reason, untilMs, scope }) {
        const refusal = rejectScope(asked, scope) ?? rejectEqualRole(asked, user) ?? rejectBacklog(asked);
        if (refusal) return refusal;
        if (untilMs !== undefined && untilMs <= asked.at) {
          return refuse("bad_data", "A ban ends later than now: untilMs has passed.");
        }
        const until = untilMs === undefined ? {} : { untilMs };
        const why = reason === undefined ? {} : { reason };
        const from = addressOf(asked, user);
        const origin = from === undefined ? {} : { from };
        return {
          events: [{ n: "banned", d: { user, scope, ...until } }],
          private: [
            {
              n: "barred",
              d: { user, scope, by: asked.by.user, rank: asked.by.role, ...until, ...why, ...origin },
            },
            ...createHold(asked, "ban", user, untilMs),
          ],
          disconnect: [{ user, ...bannedClose(scope, why) }],
          effects: ["bans"],
        };
      },
    },
    unban: {
      ...hostAction,
      decide(asked, { user, scope }) {
        const refusal = rejectScope(asked, scope) ?? rejectBacklog(asked);
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
          effects: ["bans"],
        };
      },
    },
  },

  authorize(situation, { isSpeech, by }) {
    // Whoever muted an admin did not know who that was: nobody may.
    if (!isSpeech || by.role === "admin") return undefined;
    if (!isMuted(situation, by.user)) {
      const member = situation.members.get(by.user);
      const untilMs = member ? mutedUntil(situation, member) : 0;
      return untilMs > 0 ? refuse("muted", ADDRESS_MUTED, untilMs - situation.at) : undefined;
    }
    const untilMs = situation.state.muted[by.user] as number;
    if (untilMs === FOREVER) return refuse("muted", "You are muted in this room.");
    return refuse("muted", "You are muted in this room for a while.", untilMs - situation.at);
  },

  authorizeJoin(situation, newcomer) {
    const { at, private: hidden } = situation;
    const { user, role, bansCheckedAt: askedAt } = newcomer;
    const keptUntil = getFor(hidden.kicked, user) ?? 0;
    if (keptUntil > at) return kickedClose(keptUntil - at);
    for (const scope of ["everywhere", "room"] as const) {
      const ban = getFor(hidden[scope], user);
      // The user who set the ban did not know this role. A ban in a room does not apply to an equal or higher role.
      if (ban && scope === "room" && !appliesToRole(ban, role)) continue;
      // A room knows its own bans best.
      if (isInForce(ban, at, scope === "room" ? undefined : askedAt)) return bannedClose(scope, ban);
    }
    return rejectHeldGuest(situation, newcomer);
  },

  /** Who is more than a player is remembered: a host who is away is no player. */
  joined({ at, private: hidden }, { user, role }) {
    const known = getFor(hidden.roles, user) ?? "player";
    const ranked = known === role ? [] : [{ n: "ranked" as const, d: { user, role } }];
    // Who is in after all is banned no longer, or will be found out at once.
    const stale = getFor(hidden.everywhere, user);
    const isStale = stale !== undefined && (stale.untilMs ?? Number.POSITIVE_INFINITY) > at;
    const askedAt = stale?.askedAt === undefined ? {} : { askedAt: stale.askedAt + 1 };
    const lifted = isStale
      ? [{ n: "lifted" as const, d: { user, scope: "everywhere" as const, ...askedAt } }]
      : [];
    // Who is here as far as it was told: the outside may have heard since that they went, and its answer been lost.
    const again = hidden.reported.includes(user) ? [user] : [];
    // And a room that was about to be cleaned up goes on.
    const untold =
      hidden.isEnded || again.length > 0 ? [{ n: "told" as const, d: { came: [], gone: again } }] : [];
    const ban = getFor(hidden.room, user);
    if (!isInForce(ban, at, undefined))
      return { private: [...ranked, ...lifted, ...untold], effects: ["places"] };
    const undone = undoRoomBan(user);
    return {
      events: undone.events,
      private: [...ranked, ...lifted, ...untold, ...undone.private],
      effects: ["places", ...undone.effects],
    };
  },

  /** The outside may have been told of them, and its answer been lost: then it has to hear that they went. */
  left({ members, private: { reported: here, isEnded } }, member) {
    const { user } = member;
    const untold =
      isEnded || here.includes(user) ? [] : [{ n: "told" as const, d: { came: [user], gone: [] } }];
    const departed = noteDeparture(member);
    return {
      private: [...untold, ...departed],
      effects: isToBeTold([...here, user], members) ? ["places"] : [],
    };
  },

  /** Whoever bans them elsewhere asks the outside where they come from. */
  addressChanged: ({ private: { reported: here } }, { user }) => ({
    ...(here.includes(user) ? { private: [{ n: "told", d: { came: [], gone: [user] } }] } : {}),
    effects: ["places"],
  }),

  onServiceMessage: onBanNotice,

  effects: {
    // A crash that swallows the answer brings everybody back, and they are told of anew.
    places: { request: requestPresence, onAnswer: onPresenceAnswer, noAlarm: true },
    bans: { request: requestBanWrites, onAnswer: onBanWritesAnswer },
  },

  /** Bans have to be told before the room goes; who was here need not be. A room that may come back goes on telling. */
  beforeClose: ({ private: { isEnded, unsent: owed } }, isFinal) => ({
    ...(isEnded || !isFinal ? {} : { private: [{ n: "ended", d: {} }] }),
    effects: [...(isEnded ? [] : ["places"]), ...(owed.length > 0 ? ["bans"] : [])],
  }),

  /** Those whose time is over. The list shrinks a moment late; what they say is judged by the time itself. */
  onTimer({ state, at }) {
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

function isMuted({ state, at }: Context, user: string): boolean {
  return Object.hasOwn(state.muted, user) && (state.muted[user] as number) > at;
}

const ADDRESS_MUTED =
  "A guest at your address or in its network was moderated here, so new guests from there are muted. A host can unmute you.";

/** One timer for all who are muted: the next of them to be heard again. */
function wakeFor({ state }: Context, user: string, untilMs: number): Record<string, number | null> {
  const others = Object.entries(state.muted).filter(([muted]) => muted !== user);
  const next = Math.min(untilMs, ...others.map(([, until]) => until));
  return { [UNMUTE]: next < FOREVER ? next : null };
}

/** Nobody moderates an equal or higher role. Whom nobody has seen here is taken for a player. */
function rejectEqualRole(
  { members, private: hidden, by }: DecisionContext,
  user: string,
): Refusal | undefined {
  const role: Role = members.get(user)?.role ?? getFor(hidden.roles, user) ?? "player";
  // Nor oneself, over HTTP from outside the room either.
  if (user !== by.user && roles.indexOf(role) < roles.indexOf(by.role)) return undefined;
  return refuse("not_allowed", "Nobody moderates an equal or higher role.");
}

function rejectScope(asked: DecisionContext, scope: string | undefined): Refusal | undefined {
  if (scope !== "everywhere" || leadsEverywhere(asked)) return undefined;
  return refuse("not_allowed", "Only an admin whose token is for all rooms bans or unbans everywhere.");
}

/** An admin for some rooms is an admin there, and nowhere else. */
function leadsEverywhere({ by }: DecisionContext): boolean {
  return by.role === "admin" && by.allRooms === true;
}

function rejectBacklog({ private: { unsent: owed } }: Context): Refusal | undefined {
  if (owed.length < MAX_UNSENT) return undefined;
  return refuse("unavailable", "Whoever keeps the bans is away, and this room remembers no more of them.");
}
