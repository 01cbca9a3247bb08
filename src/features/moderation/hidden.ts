import type { Role } from "../../protocol/codes";
import type { PrivateEventOf } from "../../room/feature";
import { type Held, heldOf, withHeld, withoutHeld } from "./held";
import type { BansAsk } from "./outside";
import type { moderationSchema } from "./schema";

export interface Ban {
  untilMs?: number | undefined;
  reason?: string | undefined;
  /** When it was asked for, by the clock of whoever keeps the bans; absent while only this room knows. */
  askedAt?: number | undefined;
}
export type Owed = BansAsk["writes"][number];

/** What was done about a guest, as it holds for the address that the guest came from. */
export interface AddressHold {
  what: "kick" | "mute" | "ban";
  user: string;
  /** The keyed hash of the address. */
  from: string;
  at: number;
  untilMs: number;
  /** Other guests of the address whom it does not meet. */
  known: string[];
}

/** What nobody is sent: who may not come in, who has led here, and what the outside has still to be told. */
export interface Hidden {
  /** Kicked, until when. */
  kept: Held<number>;
  /** Banned from this room, and from everywhere as far as this room has been told. */
  room: Held<Ban>;
  everywhere: Held<Ban>;
  /** The role that a token last gave, of whoever was more than a player: they may be away when somebody bans them. */
  ranks: Held<Role>;
  /** What the database has still to be told, oldest first, the newest of each user and scope. */
  owed: readonly Owed[];
  lastOwed: number;
  /** The time of the newest of all of them; absent in what was stored before it was kept. */
  lastOwedAt?: number;
  /** Of whom it is known outside that they are here. */
  here: readonly string[];
  isEnded: boolean;
  /** Oldest first; absent in what was stored before there were any. */
  holds?: readonly AddressHold[];
}
export type HiddenEvent = PrivateEventOf<(typeof moderationSchema)["privateEvents"]>;

/** A minute's kicks, with room to spare. */
const MAX_KEPT = 500;
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
/** Hosts and admins of one room. */
const MAX_RANKS = 500;

export function nothingHidden(): Hidden {
  return {
    kept: [],
    room: [],
    everywhere: [],
    ranks: [],
    owed: [],
    lastOwed: 0,
    here: [],
    isEnded: false,
  };
}

export function hide(hidden: Hidden, event: HiddenEvent): Hidden {
  switch (event.n) {
    case "kept": {
      const { user, untilMs } = event.d;
      const waiting = hidden.kept.filter(([, until]) => until > event.at);
      return { ...hidden, kept: withHeld(waiting, user, untilMs, MAX_KEPT) };
    }
    case "barred": {
      const { user, scope, by, from: _, ...ban } = event.d;
      const barred = { ...hidden, [scope]: withHeld(hidden[scope], user, ban, MAX_BANS) };
      return by === undefined ? barred : owing(barred, { ...event.d, by, at: event.at, isLifted: false });
    }
    case "lifted": {
      const { user, scope, by, askedAt } = event.d;
      // Its time is kept, so that an older word that comes later is known for one.
      const over = { untilMs: OVER, askedAt };
      const without =
        askedAt === undefined
          ? withoutHeld(hidden[scope], user)
          : withHeld(hidden[scope], user, over, MAX_BANS);
      const lifted = { ...hidden, [scope]: without };
      return by === undefined ? lifted : owing(lifted, { user, scope, by, at: event.at, isLifted: true });
    }
    case "ranked": {
      const { user, role } = event.d;
      const others = withoutHeld(hidden.ranks, user);
      return { ...hidden, ranks: role === "player" ? others : withHeld(others, user, role, MAX_RANKS) };
    }
    case "held": {
      const { what, user } = event.d;
      const others = holdsOf(hidden).filter((hold) => hold.untilMs > event.at);
      return { ...hidden, holds: [...without(others, what, user), event.d].slice(-MAX_HOLDS) };
    }
    case "released":
      return { ...hidden, holds: without(holdsOf(hidden), event.d.what, event.d.user) };
    case "spared": {
      const { user, from } = event.d;
      const holds = holdsOf(hidden).map((hold) =>
        hold.from === from ? { ...hold, known: [...hold.known, user].slice(-MAX_KNOWN) } : hold,
      );
      return { ...hidden, holds };
    }
    case "written":
      return written(hidden, new Set(event.d.done), event.d.askedAt);
    case "told": {
      const gone = new Set([...event.d.gone, ...event.d.came]);
      const here = [...hidden.here.filter((user) => !gone.has(user)), ...event.d.came];
      return { ...hidden, here, isEnded: false };
    }
    case "ended":
      return { ...hidden, here: [], isEnded: true };
    default:
      return hidden;
  }
}

function holdsOf({ holds = [] }: Hidden): readonly AddressHold[] {
  return holds;
}

function without(holds: readonly AddressHold[], what: string, user: string): readonly AddressHold[] {
  return holds.filter((hold) => hold.what !== what || hold.user !== user);
}

/** No two words have one time: a ban, lifted in its own millisecond, would come back with a late call. */
function owing(hidden: Hidden, { askedAt: _, ...write }: Omit<Owed, "n"> & { askedAt?: unknown }): Hidden {
  const n = hidden.lastOwed + 1;
  const last = hidden.lastOwedAt ?? hidden.owed.at(-1)?.at ?? 0;
  const at = Math.max(write.at, last + 1);
  const others = hidden.owed.filter(({ user, scope }) => user !== write.user || scope !== write.scope);
  return { ...hidden, owed: [...others, { ...write, at, n }], lastOwed: n, lastOwedAt: at };
}

/**
 * From now on the outside knows better of bans everywhere than this room does. Of what was lifted the time stays, so that an
 * answer of before, which comes late, is known for one.
 */
function written(hidden: Hidden, done: ReadonlySet<number>, askedAt: number): Hidden {
  const told = { ...hidden, owed: hidden.owed.filter(({ n }) => !done.has(n)) };
  for (const { n, user, scope, isLifted } of hidden.owed) {
    if (!done.has(n)) continue;
    const ban = scope === "everywhere" ? heldOf(told.everywhere, user) : undefined;
    if (isLifted) {
      const over = { untilMs: OVER, askedAt: askedAt + 1 };
      told[scope] = withHeld(withoutOldest(told[scope]), user, over, MAX_BANS);
    } else if (ban) told.everywhere = withHeld(told.everywhere, user, { ...ban, askedAt }, MAX_BANS);
  }
  return told;
}

/** Of those that are over the newest stay, so that they push out nobody who is banned. */
function withoutOldest(bans: Held<Ban>): Held<Ban> {
  const over = bans.filter(([, { untilMs }]) => untilMs === OVER).map(([user]) => user);
  if (over.length < MAX_OVER) return bans;
  return withoutHeld(bans, over[0] as string);
}
