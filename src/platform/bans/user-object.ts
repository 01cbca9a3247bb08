import { DurableObject } from "cloudflare:workers";
import { bansOf, EVERYWHERE } from "../../boards/bans";
import type { BanWord } from "../../features/moderation/outside";
import { type Role, roles } from "../../protocol/codes";
import type { CloudflareEnv } from "../cloudflare";
import { Door } from "../edge/door";
import { isPlace, type Place, tellRoom } from "./place";

/** A room that cannot be told in so long is asked again later; the others are not kept waiting. */
const TELL_MS = 2_500;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** An hour and more: whoever has not been reached by then asks at the next join. */
const MAX_TRIES = 70;
/** Pairs that a platform takes in one call. */
const PAIRS = 128;

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
 * Where a share of the users are, so that rooms need not ask again and again whether somebody was banned meanwhile. Rooms
 * tell it who came and went; whoever changes a ban tells it that; it tells the rooms.
 */
export class UserObject extends DurableObject<CloudflareEnv> {
  /** A word that is older than what is known of a user at the place changes nothing. */
  async moved(place: Place, { at, came, gone }: Moved): Promise<void> {
    const { storage } = this.ctx;
    const keys = [...came.map(({ user }) => user), ...gone].map((user) => keyOf(user, place));
    const known = await storage.get<Present>(keys.slice(0, PAIRS));
    const isOlder = (user: string) => (known.get(keyOf(user, place))?.at ?? 0) > at;
    const present = came
      .filter(({ user }) => !isOlder(user))
      .map(({ user, role, from }): [string, Present] => [keyOf(user, place), { at, role, from }]);
    const absent = gone.filter((user) => !isOlder(user)).map((user) => keyOf(user, place));
    await Promise.all([
      present.length > 0 ? storage.put(Object.fromEntries(present)) : undefined,
      absent.length > 0 ? storage.delete(absent) : undefined,
    ]);
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

  /** The highest role that a user holds where they are: nobody bans an equal one. */
  async role(user: string): Promise<Role> {
    const held = [...(await this.#present(user)).values()].map(({ role }) => roles.indexOf(role));
    return roles[Math.max(0, ...held)] ?? "player";
  }

  /** A ban everywhere was set or lifted. Answers once every room was told, or will be told later. */
  async changed(user: string): Promise<void> {
    const places = await this.places(user);
    if (places.length === 0) return;
    const now = Date.now();
    const telling = {
      user,
      id: crypto.randomUUID(),
      places,
      tries: 0,
      nextAt: now + TELL_MS + FIRST_PAUSE_MS,
    };
    await this.ctx.storage.put<Telling>(tellingOf(user), telling);
    // Should this instance end meanwhile.
    await this.#arm();
    await this.#tell(telling);
  }

  override async alarm(): Promise<void> {
    const now = Date.now();
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

  /** As it stands now, whatever was changed in between; nothing where the database is away. */
  async #word(user: string): Promise<BanWord | undefined> {
    const askedAt = Date.now();
    try {
      const bans = await bansOf(this.env.DB, [user], [EVERYWHERE], askedAt);
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
      return await tellRoom(place, word, this.env.ROOMS, Door.config(this.env), AbortSignal.timeout(TELL_MS));
    } catch (error) {
      console.warn(`${place} could not be told of a ban:`, error instanceof Error ? error.message : error);
      return "away";
    }
  }

  /** The one alarm: for whichever of them comes next. */
  async #arm(): Promise<void> {
    const next = Math.min(...[...(await this.#tellings()).values()].map(({ nextAt }) => nextAt));
    if (Number.isFinite(next)) await this.ctx.storage.setAlarm(Math.ceil(next));
    else await this.ctx.storage.deleteAlarm();
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

function tellingOf(user: string): string {
  return TELLING + encodeURIComponent(user);
}
