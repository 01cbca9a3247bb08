import type { Json } from "../../protocol/messages";
import type { Disconnect, Emit, FeatureContext, Outcome } from "../../room/api/feature";
import {
  appliesToRole,
  type BanNotice,
  banNotice,
  bannedClose,
  banWritesAnswer,
  type PresenceAnswer,
  presenceAnswer,
} from "../../services/bans/contract";
import type { Ban, PrivateState, UnsentBan } from "./private-state";
import type { moderationSchema } from "./schema";
import type { ModerationState } from "./state";
import { getFor } from "./user-list";

/** As many as the storage of one object takes in one call, should it know all of them. */
const USERS_A_CALL = 100;
const WRITES_A_CALL = 20;
/** So many who went are not waited with. */
const GONE_A_CALL = 20;

type Context = FeatureContext<ModerationState, PrivateState>;
type PrivateEvents = (typeof moderationSchema)["privateEvents"];
type ModerationOutcome = Outcome<(typeof moderationSchema)["events"], PrivateEvents>;
type KnownBan = BanNotice["bans"][number];

/** Who came and who went since it was last told outside; nothing where all of that is known. */
export function requestPresence({
  at,
  members,
  private: { reported: here, isEnded },
}: Context): Json | undefined {
  if (isEnded) return undefined;
  const known = new Set(here);
  const came = [...members.values()].filter(({ user }) => !known.has(user)).slice(0, USERS_A_CALL);
  const gone = here.filter((user) => !members.has(user)).slice(0, USERS_A_CALL - came.length);
  if (came.length + gone.length === 0) return undefined;
  const reported = came.map(({ user, role, allRooms, from }) => ({
    user,
    role,
    ...(allRooms ? { allRooms } : {}),
    ...(from === undefined ? {} : { from }),
  }));
  return { at, came: reported, gone };
}

/**
 * Whether a report is due. A join is reported at once, for a ban has to find the user here. A leaving waits for the next join, for 20 of
 * them, or for an empty room: that saves a row each, and a ban that reaches a room without its user changes nothing there.
 */
export function isToBeTold(here: readonly string[], members: Context["members"]): boolean {
  const gone = here.filter((user) => !members.has(user)).length;
  if (gone >= (members.size === 0 ? 1 : GONE_A_CALL)) return true;
  return here.length - gone < members.size;
}

/** Whoever was let in by an edge that did not know goes now. */
export function onPresenceAnswer(situation: Context, answer: Json): ModerationOutcome {
  const { members, private: hidden } = situation;
  const { came, gone, bans, askedAt }: PresenceAnswer = presenceAnswer.parse(answer);
  const learnt = came.map((user) => {
    const theirs = bans.filter((ban) => ban.user === user);
    return applyKnownBans(situation, user, theirs, askedAt, false);
  });
  const undone = learnt.flatMap(({ spared }) => spared).map(undoRoomBan);
  const here = [...hidden.reported.filter((user) => !gone.includes(user) && !came.includes(user)), ...came];
  return {
    events: undone.flatMap(({ events }) => events),
    private: [
      { n: "told", d: { came, gone } },
      ...learnt.flatMap(({ private: hides }) => hides),
      ...undone.flatMap((undo) => undo.private),
    ],
    disconnect: learnt.flatMap(({ ends }) => ends),
    // Whatever did not fit, and whatever happened meanwhile.
    effects: [...(isToBeTold(here, members) ? ["places"] : []), ...undone.flatMap(({ effects }) => effects)],
  };
}

/**
 * A ban in this room of a user who then came with an equal or higher role. It is lifted everywhere it is stored, or the user
 * would be in the room and be left out of its board.
 */
export function undoRoomBan(user: string) {
  return {
    events: [{ n: "unbanned" as const, d: { user, scope: "room" as const } }],
    // A user id is never empty, so this ban is lifted by no user.
    private: [{ n: "lifted" as const, d: { user, scope: "room" as const, by: "" } }],
    effects: ["bans"],
  };
}

/** A ban everywhere was set or lifted, and this room's user object knows that its user is here. */
export function onBanNotice(situation: Context, message: Json): ModerationOutcome {
  const { user, bans, askedAt } = banNotice.parse(message);
  const { private: events, ends } = applyKnownBans(situation, user, bans, askedAt, true);
  return { private: events, disconnect: ends };
}

export function requestBanWrites({ private: { unsent: owed } }: Context): Json | undefined {
  if (owed.length === 0) return undefined;
  return { writes: owed.slice(0, WRITES_A_CALL).map(toJson) };
}

export function onBanWritesAnswer(
  { members, private: { unsent: owed, isEnded } }: Context,
  answer: Json,
): ModerationOutcome {
  const { refused, ...written } = banWritesAnswer.parse(answer);
  const done = new Set(written.done);
  // The user is an admin elsewhere, an equal of the one who set the ban: it ends here too.
  const undone = owed.filter(({ n }) => refused.includes(n)).map(({ user, scope }) => ({ user, scope }));
  const askedAt = written.askedAt + 1;
  const isLetIn = ({ n, scope, isLifted, user }: UnsentBan) =>
    done.has(n) && isLifted && scope === "everywhere" && members.has(user);
  const again = isEnded ? [] : owed.filter(isLetIn).map(({ user }) => user);
  // Who was let in everywhere may have been banned anew while that was written: they are asked for once more.
  const untold = again.length > 0 ? [{ n: "told" as const, d: { came: [], gone: again } }] : [];
  const isMoreOwed = owed.some(({ n }) => !done.has(n));
  return {
    events: isEnded ? [] : undone.map((d) => ({ n: "unbanned" as const, d })),
    private: [
      { n: "written", d: written },
      ...undone.map((d) => ({ n: "lifted" as const, d: { ...d, askedAt } })),
      ...untold,
    ],
    effects: [...(isMoreOwed ? ["bans"] : []), ...(again.length > 0 ? ["places"] : [])],
  };
}

/** Whether a ban holds at the door of one of whom the outside said at `askedAt` what it knew. */
export function isInForce(ban: Ban | undefined, at: number, askedAt: number | undefined): ban is Ban {
  if (!ban || (ban.untilMs !== undefined && ban.untilMs <= at)) return false;
  return ban.askedAt === undefined || askedAt === undefined || askedAt <= ban.askedAt;
}

function applyKnownBans(
  { at, members, private: privateState }: Context,
  user: string,
  bans: readonly KnownBan[],
  askedAt: number,
  /** That somebody is not banned is news only where something has changed: nearly nobody is. */
  isNews: boolean,
): { private: Emit<PrivateEvents>[]; ends: Disconnect[]; spared: string[] } {
  const scopes = ["everywhere", "room"] as const;
  const events: Emit<PrivateEvents>[] = [];
  const disconnect: Disconnect[] = [];
  const spared: string[] = [];
  for (const scope of scopes) {
    // What was decided here and is still on its way is newer than what is known outside.
    if (privateState.unsent.some((owed) => owed.user === user && owed.scope === scope)) continue;
    const known = getFor(privateState[scope], user);
    if (known?.askedAt !== undefined && known.askedAt > askedAt) continue;
    const ban = bans.find((each) => each.scope === scope);
    if (ban && (ban.untilMs ?? Number.POSITIVE_INFINITY) > at) {
      const { untilMs, reason, rank } = ban;
      events.push({ n: "barred", d: { user, scope, untilMs, reason, rank, askedAt } });
      if (scope === "room" && !appliesToRole(ban, members.get(user)?.role ?? "player")) spared.push(user);
      else disconnect.push({ user, ...bannedClose(scope, ban) });
    } else if (!ban && (known || isNews) && scope === "everywhere") {
      events.push({ n: "lifted", d: { user, scope, askedAt } });
    }
  }
  return { private: events, ends: disconnect.slice(0, 1), spared };
}

function toJson({ n, user, scope, by, at, isLifted, reason, untilMs, rank, from }: UnsentBan): Json {
  return {
    ...{ n, user, scope, by, at, isLifted },
    ...(reason === undefined ? {} : { reason }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(rank === undefined ? {} : { rank }),
    ...(from === undefined ? {} : { from }),
  };
}
