import { DurableObject } from "cloudflare:workers";
import { type Ban, EVERYWHERE, liftBan, putBan } from "../../boards/bans";
import type { BanWord } from "../../features/moderation/outside";
import { type Role, roles } from "../../protocol/codes";
import type { CloudflareEnv } from "../cloudflare";
import { Door } from "../edge/door";
import { isPlace, type Place, roomOf, TELL_MS, tellRoom } from "./place";
import { type BansFound, UserBans } from "./user-bans";
import { shareOf } from "./user-share";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** An hour and more: whoever has not been reached by then asks at the next join. */
const MAX_TRIES = 70;
/** Pairs that a platform takes in one call. */
const PAIRS = 128;
/** How long the role that a user came with counts after they came, so that an admin who has just left is spared. */
const RANK_MS = 86_400_000;
/** A rank is written again when it has aged by this: not with each join of a host. */
const RANK_AGE_MS = 3_600_000;
/** A write that has not ended by then is looked into by the alarm. */
const LOOK_MS = 15_000;

export interface Moved {
  at: number;
  came: readonly { user: string; role: Role; from?: string | undefined }[];
  gone: readonly string[];
}
interface Present {
  at: number;
  role: Role;
  from?: string | undefined;
}
/** The highest role that a user came with lately. Players have none. */
interface Rank {
  role: Role;
  at: number;
}
/** A ban to be set, or the end of one; `by` is a user, `role` theirs. */
export type BanWrite = Omit<Ban, "scope"> & { scope: string; isLifted: boolean; role?: Role };
export interface BanWritten {
  /** Nothing was changed, for the user's role is no lower. */
  isRefused: boolean;
  askedAt: number;
  /** A ban was in force that this lifted. */
  isLifted: boolean;
  /** Where a guest who is banned everywhere comes from. */
  addresses: string[];
}
/** A user's rooms that have still to be told. */
interface Telling {
  user: string;
  /** Tells it from one that a later change began. */
  id: string;
  places: string[];
  tries: number;
  nextAt: number;
}

const TELLING = "t/";

/**
 * Knows where a share of the users are and which of them are banned. Rooms report joins and leavings to it, edges ask it before a join,
 * and every change of a ban is made here and passed on to the rooms.
 */
export class UserObject extends DurableObject<CloudflareEnv> {
  #share: string | undefined;
  readonly #bans = new UserBans(this.ctx.storage, this.env.DB, (user) => shareOf(user) === this.#share);

  /** For the edge: what holds for a user in a room. */
  async ask(user: string, room: string): Promise<BansFound> {
    this.#share = shareOf(user);
    return this.#bans.find([user], [EVERYWHERE, room]);
  }

  /**
   * A word that is older than what is known of a user at the place changes nothing. Answers the bans of those who came: the place first,
   * the bans after, so that a ban which is set meanwhile finds the one or is found by the other.
   */
  async moved(place: Place, { at, came, gone }: Moved): Promise<BansFound> {
    const { storage } = this.ctx;
    const keys = [...came.map(({ user }) => user), ...gone].map((user) => keyOf(user, place));
    const known = new Map<string, Present>();
    for (let from = 0; from < keys.length; from += PAIRS) {
      const some = await storage.get<Present>(keys.slice(from, from + PAIRS));
      for (const [key, value] of some) known.set(key, value);
    }
    const isOlder = (user: string) => (known.get(keyOf(user, place))?.at ?? 0) > at;
    const present = came
      .filter(({ user }) => !isOlder(user))
      .map(({ user, role, from }): [string, Present] => [keyOf(user, place), { at, role, from }]);
    const absent = gone.filter((user) => !isOlder(user)).map((user) => keyOf(user, place));
    await Promise.all([
      present.length > 0 ? storage.put(Object.fromEntries(present)) : undefined,
      absent.length > 0 ? storage.delete(absent) : undefined,
      ...came.map(({ user, role }) => (role === "player" ? undefined : this.#ranked(user, role))),
    ]);
    const users = came.map(({ user }) => user);
    this.#share ??= shareOf(users[0] ?? gone[0] ?? "");
    if (users.length === 0) return { askedAt: Date.now(), bans: [] };
    return this.#bans.find(users, [EVERYWHERE, roomOf(place)]);
  }

  /** A ban in force of the user's, changed in the database and here. `changed` then tells the rooms. */
  async write({ isLifted, role, ...ban }: BanWrite): Promise<BanWritten> {
    const { scope, user, by, at } = ban;
    this.#share = shareOf(user);
    if (role !== undefined && roles.indexOf(await this.role(user)) >= roles.indexOf(role)) {
      return { isRefused: true, askedAt: Date.now(), isLifted: false, addresses: [] };
    }
    const isEverywhere = scope === EVERYWHERE;
    // Should this instance end meanwhile, the alarm of the next one finds out what became of the write, and tells the rooms.
    await this.#armBy(Date.now() + LOOK_MS);
    const stood = await this.#bans.write(scope, user, async () => {
      if (isLifted) return liftBan(this.env.DB, scope, user, { by, at });
      await putBan(this.env.DB, ban);
      return false;
    });
    const addresses = isEverywhere && !isLifted ? await this.addresses(user) : [];
    if (isEverywhere) await this.#plan(user);
    return { isRefused: false, askedAt: Date.now(), isLifted: stood, addresses };
  }

  /** The database holds something else of a user than before, and it was not this object that changed it. */
  async reread(user: string): Promise<void> {
    this.#share = shareOf(user);
    await this.#bans.reread(user);
  }

  /** Where a user is, as rooms have told. */
  async places(user: string): Promise<string[]> {
    return [...(await this.#present(user)).keys()].map((key) => key.slice(prefixOf(user).length));
  }

  /** Where a guest is from, as keyed hashes, where a platform tells that. */
  async addresses(user: string): Promise<string[]> {
    const held = [...(await this.#present(user)).values()].map(({ from }) => from);
    return [...new Set(held.filter((from) => from !== undefined))];
  }

  /** The highest role that a user holds in any room, or came with lately. */
  async role(user: string): Promise<Role> {
    const held = [...(await this.#present(user)).values()].map(({ role }) => roles.indexOf(role));
    const rank = await this.ctx.storage.get<Rank>(rankOf(user));
    if (rank && Date.now() - rank.at < RANK_MS) held.push(roles.indexOf(rank.role));
    return roles[Math.max(0, ...held)] ?? "player";
  }

  async #ranked(user: string, role: Role): Promise<void> {
    const known = await this.ctx.storage.get<Rank>(rankOf(user));
    const age = known ? Date.now() - known.at : Number.POSITIVE_INFINITY;
    const isHigher = !known || roles.indexOf(role) > roles.indexOf(known.role);
    // A lower one takes the place of a higher only when that counts no longer.
    if (isHigher || age >= RANK_MS || (role === known.role && age >= RANK_AGE_MS))
      await this.ctx.storage.put<Rank>(rankOf(user), { role, at: Date.now() });
  }

  /** A ban everywhere was set or lifted. Answers once every room was told, or will be told later. */
  async changed(user: string): Promise<void> {
    this.#share = shareOf(user);
    const telling = await this.#plan(user);
    if (telling) await this.#tell(telling);
  }

  /** Every room that the user is in has to be told: now, or should this instance end meanwhile, by the alarm. */
  async #plan(user: string): Promise<Telling | undefined> {
    const places = await this.places(user);
    if (places.length === 0) return undefined;
    const telling = {
      user,
      id: crypto.randomUUID(),
      places,
      tries: 0,
      nextAt: Date.now() + TELL_MS + FIRST_PAUSE_MS,
    };
    await this.ctx.storage.put<Telling>(tellingOf(user), telling);
    await this.#arm();
    return telling;
  }

  override async alarm(): Promise<void> {
    const now = Date.now();
    try {
      for (const user of await this.#bans.resolve()) await this.#plan(user);
    } catch (error) {
      console.warn("A ban that may have been written could not be looked into, and will be again:", error);
    }
    const due = [...(await this.#tellings()).values()].filter(({ nextAt }) => nextAt <= now);
    await Promise.all(due.map((telling) => this.#tell(telling)));
    await this.#arm();
  }

  async #tell(telling: Telling): Promise<void> {
    const { storage } = this.ctx;
    const { user } = telling;
    const word = await this.#word(user);
    const before = await this.#present(user);
    const outcomes = await Promise.all(
      telling.places.map(async (place) => ({
        place,
        outcome: word ? await this.#told(place, word) : "away",
      })),
    );
    const placesOf = (what: string) =>
      outcomes.filter(({ outcome }) => outcome === what).map(({ place }) => place);
    // Unless it was told meanwhile that they are there: in a room made anew.
    const known = await this.#present(user);
    const nowhere = placesOf("nowhere")
      .map((place) => prefixOf(user) + place)
      .filter((key) => known.get(key)?.at === before.get(key)?.at);
    if (nowhere.length > 0) await storage.delete(nowhere);
    // Another change came in meanwhile, and tells everybody itself.
    if ((await storage.get<Telling>(tellingOf(user)))?.id !== telling.id) return;
    const missed = placesOf("away");
    const tries = telling.tries + 1;
    if (missed.length === 0 || tries >= MAX_TRIES) {
      if (missed.length > 0) console.warn(`${missed.length} rooms could not be told of a ban.`);
      await storage.delete(tellingOf(user));
    } else {
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS);
      const nextAt = Date.now() + pauseMs * (0.5 + Math.random() / 2);
      await storage.put<Telling>(tellingOf(user), { ...telling, places: missed, tries, nextAt });
    }
    await this.#arm();
  }

  /** As it stands now, whatever was changed in between; nothing where the database had to be read, and is away. */
  async #word(user: string): Promise<BanWord | undefined> {
    try {
      this.#share = shareOf(user);
      const { askedAt, bans } = await this.#bans.find([user], [EVERYWHERE]);
      const told = bans.map(({ reason, untilMs }) => ({
        scope: "everywhere" as const,
        ...(reason === null ? {} : { reason }),
        ...(untilMs === null ? {} : { untilMs }),
      }));
      return { askedAt, user, bans: told };
    } catch (error) {
      console.warn("The bans of somebody could not be read, and will be again:", error);
      return undefined;
    }
  }

  async #told(place: string, word: BanWord): Promise<"told" | "nowhere" | "away"> {
    if (!isPlace(place)) return "nowhere";
    try {
      return await tellRoom(place, word, this.env.ROOMS, Door.config(this.env));
    } catch (error) {
      console.warn(`${place} could not be told of a ban:`, error instanceof Error ? error.message : error);
      return "away";
    }
  }

  /** The one alarm: for whichever of them comes next. */
  async #arm(): Promise<void> {
    const tellings = [...(await this.#tellings()).values()].map(({ nextAt }) => nextAt);
    const next = Math.min(await this.#bans.resolveAt(), ...tellings);
    if (Number.isFinite(next)) await this.ctx.storage.setAlarm(Math.ceil(next));
    else await this.ctx.storage.deleteAlarm();
  }

  /** At this time or before. */
  async #armBy(at: number): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at) await this.ctx.storage.setAlarm(at);
  }

  #present(user: string): Promise<Map<string, Present>> {
    return this.ctx.storage.list<Present>({ prefix: prefixOf(user) });
  }

  #tellings(): Promise<Map<string, Telling>> {
    return this.ctx.storage.list<Telling>({ prefix: TELLING });
  }
}

/** User ids are any text; encoded, none is the beginning of another's keys. */
function prefixOf(user: string): string {
  return `u/${encodeURIComponent(user)}/`;
}

function keyOf(user: string, place: Place): string {
  return prefixOf(user) + place;
}

function rankOf(user: string): string {
  return `r/${encodeURIComponent(user)}`;
}

function tellingOf(user: string): string {
  return TELLING + encodeURIComponent(user);
}
