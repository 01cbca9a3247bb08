import type { Role } from "../../protocol/codes";
import type { PrivateEventOf } from "../../room/api/feature";
import { isSameNetwork } from "../../room/api/network";
import type { BanWrites } from "../../services/bans/contract";
import type { moderationSchema } from "./schema";
import { getFor, removeFor, setFor, type UserList } from "./user-list";

export interface Ban {
  untilMs?: number | undefined;
  reason?: string | undefined;
  /** The role of the user who set it. */
  rank?: Role | undefined;
  /** When it was asked for, by the clock of whoever keeps the bans; absent while only this room knows. */
  askedAt?: number | undefined;
}
export type UnsentBan = BanWrites["writes"][number];

/** What was done about a guest, as it holds for the address that the guest came from. */
export interface AddressHold {
  what: "kick" | "mute" | "ban";
  user: string;
  /** The keyed hash of the address. */
  from: string;
  at: number;
  untilMs: number;
  /** Other guests of the address and its network to whom it does not apply. */
  known: string[];
}

/** What nobody is sent: who may not come in, who has led here, and what the outside has still to be told. */
export interface PrivateState {
  /** Kicked, until when. */
  kicked: UserList<number>;
  /** Banned from this room, and from everywhere as far as this room has been told. */
  room: UserList<Ban>;
  everywhere: UserList<Ban>;
  /** The role that a token last gave, of whoever was more than a player: they may be away when somebody bans them. */
  roles: UserList<Role>;
  /** What the database has still to be told, oldest first, the newest of each user and scope. */
  unsent: readonly UnsentBan[];
  lastUnsent: number;
  /** The time of the newest of all of them; absent in what was stored before it was kept. */
  lastUnsentAt?: number;
  /** Of whom it is known outside that they are here. */
  reported: readonly string[];
  isEnded: boolean;
  /** Oldest first; absent in what was stored before there were any. */
  holds?: readonly AddressHold[];
  /** Guests who left, with the address that they were at and the time, the newest last. */
  departed: UserList<{ from: string; at: number }>;
}
export type PrivateStateEvent = PrivateEventOf<(typeof moderationSchema)["privateEvents"]>;

/** A minute's kicks, with room to spare. */
const MAX_KICKED = 500;
/** Older bans still stand in the database, where the edge finds them: a room that names more is being scripted. */
const MAX_BANS = 1_000;
/** Of a ban that was lifted: it ended before anything began. */
const OVER = 0;
/** Lifted bans whose time is kept: late answers come within seconds. */
const MAX_OVER = 100;
/** Of those who were at an address already: a hall's phones. Past it they are known for as long as they stay in the room. */
export const MAX_KNOWN = 200;
/** With the ids that each may name, half a megabyte at most in a snapshot. */
const MAX_HOLDS = 100;
/** Of the guests who left: about 50 KB in a snapshot. A hall's phones leave and come back all the time. */
const MAX_DEPARTED = 500;
/** As long as a hold may last: within it a guest who was here before is not a new one. */
const KNOWN_MS = 86_400_000;
/** Hosts and admins of one room. */
const MAX_ROLES = 500;

export function initialPrivate(): PrivateState {
  return {
    kicked: [],
    room: [],
    everywhere: [],
    roles: [],
    unsent: [],
    lastUnsent: 0,
    reported: [],
    isEnded: false,
    departed: [],
  };
}

export function reducePrivate(state: PrivateState, event: PrivateStateEvent): PrivateState {
  switch (event.n) {
    case "kept": {
      const { user, untilMs } = event.d;
      const waiting = state.kicked.filter(([, until]) => until > event.at);
      return { ...state, kicked: setFor(waiting, user, untilMs, MAX_KICKED) };
    }
    case "barred": {
      const { user, scope, by, from: _, ...ban } = event.d;
      const barred = { ...state, [scope]: setFor(state[scope], user, ban, MAX_BANS) };
      return by === undefined ? barred : addUnsent(barred, { ...event.d, by, at: event.at, isLifted: false });
    }
    case "lifted": {
      const { user, scope, by, askedAt } = event.d;
      // Its time is kept, so that an older word that comes later is known for one.
      const over = { untilMs: OVER, askedAt };
      const without =
        askedAt === undefined ? removeFor(state[scope], user) : setFor(state[scope], user, over, MAX_BANS);
      const lifted = { ...state, [scope]: without };
      return by === undefined ? lifted : addUnsent(lifted, { user, scope, by, at: event.at, isLifted: true });
    }
    case "ranked": {
      const { user, role } = event.d;
      const others = removeFor(state.roles, user);
      return { ...state, roles: role === "player" ? others : setFor(others, user, role, MAX_ROLES) };
    }
    case "held": {
      const { what, user, from } = event.d;
      const others = holdsOf(state).filter((hold) => hold.untilMs > event.at);
      return { ...state, holds: [...without(others, what, user, from), event.d].slice(-MAX_HOLDS) };
    }
    case "released":
      return { ...state, holds: without(holdsOf(state), event.d.what, event.d.user) };
    case "spared": {
      const { user, from } = event.d;
      const holds = holdsOf(state).map((hold) =>
        isSameNetwork(hold.from, from) ? { ...hold, known: [...hold.known, user].slice(-MAX_KNOWN) } : hold,
      );
      return { ...state, holds };
    }
    case "departed": {
      const { user, from } = event.d;
      const others = state.departed.filter(([, { at }]) => at > event.at - KNOWN_MS);
      return { ...state, departed: setFor(others, user, { from, at: event.at }, MAX_DEPARTED) };
    }
    case "written":
      return markStored(state, new Set(event.d.done), event.d.askedAt);
    case "told": {
      const gone = new Set([...event.d.gone, ...event.d.came]);
      const here = [...state.reported.filter((user) => !gone.has(user)), ...event.d.came];
      return { ...state, reported: here, isEnded: false };
    }
    case "ended":
      return { ...state, reported: [], isEnded: true };
    default:
      return state;
  }
}

function holdsOf({ holds = [] }: PrivateState): readonly AddressHold[] {
  return holds;
}

/** A guest may be held at several addresses: without `from`, at all of them. */
function without(
  holds: readonly AddressHold[],
  what: string,
  user: string,
  from?: string,
): readonly AddressHold[] {
  const isAt = (hold: AddressHold) => from === undefined || hold.from === from;
  return holds.filter((hold) => hold.what !== what || hold.user !== user || !isAt(hold));
}

/** No two words have one time: a ban, lifted in its own millisecond, would come back with a late call. */
function addUnsent(
  state: PrivateState,
  { askedAt: _, ...write }: Omit<UnsentBan, "n"> & { askedAt?: unknown },
): PrivateState {
  const n = state.lastUnsent + 1;
  const last = state.lastUnsentAt ?? state.unsent.at(-1)?.at ?? 0;
  const at = Math.max(write.at, last + 1);
  const others = state.unsent.filter(({ user, scope }) => user !== write.user || scope !== write.scope);
  return { ...state, unsent: [...others, { ...write, at, n }], lastUnsent: n, lastUnsentAt: at };
}

/**
 * From now on the outside knows better of bans everywhere than this room does. Of what was lifted the time stays, so that an
 * answer of before, which comes late, is known for one.
 */
function markStored(state: PrivateState, done: ReadonlySet<number>, askedAt: number): PrivateState {
  const next = { ...state, unsent: state.unsent.filter(({ n }) => !done.has(n)) };
  for (const { n, user, scope, isLifted } of state.unsent) {
    if (!done.has(n)) continue;
    const ban = scope === "everywhere" ? getFor(next.everywhere, user) : undefined;
    if (isLifted) {
      const over = { untilMs: OVER, askedAt: askedAt + 1 };
      next[scope] = setFor(dropOldestLifted(next[scope]), user, over, MAX_BANS);
    } else if (ban) next.everywhere = setFor(next.everywhere, user, { ...ban, askedAt }, MAX_BANS);
  }
  return next;
}

/** Of those that are over the newest stay, so that they push out nobody who is banned. */
function dropOldestLifted(bans: UserList<Ban>): UserList<Ban> {
  const over = bans.filter(([, { untilMs }]) => untilMs === OVER).map(([user]) => user);
  if (over.length < MAX_OVER) return bans;
  return removeFor(bans, over[0] as string);
}
