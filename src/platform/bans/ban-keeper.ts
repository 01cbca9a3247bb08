import { type Ban, bansOf, EVERYWHERE, listBans } from "../../boards/bans";
import { bansAsk, placesAsk } from "../../features/moderation/outside";
import type { Json } from "../../protocol/messages";
import { within } from "../within";
import type { BanAnswer } from "./ban-book";
import { placeOf, type Where } from "./place";
import type { HeldBan } from "./user-bans";
import type { BanWrite, UserObject } from "./user-object";
import { byShare, shareOf } from "./user-share";

/** What the storage of one object takes in one call, should all of them belong to one. */
const MAX_USERS_A_CALL = 100;
/** Before the deadline of an errand (10 s), which is then tried again. */
const DEADLINE_MS = 8_000;

export type UserObjects = DurableObjectNamespace<UserObject>;
interface RoomName {
  kind: string;
  id: string;
}

/** Lets nobody new in as a guest from an address for a while. */
export type CloseAddress = (from: string) => Promise<void>;

/**
 * Where edges, rooms and operators ask about bans. Users' objects know where users are and who of them is banned; the database, from
 * which they are rebuilt, is read here only for an operator's lists.
 */
export class BanKeeper {
  constructor(
    private readonly db: D1Database,
    private readonly users: UserObjects,
    private readonly closeAddress: CloseAddress,
  ) {}

  async ask(user: string, room: string): Promise<BanAnswer> {
    const { askedAt, bans } = await this.#call(user, (object) => object.ask(user, room));
    return { askedAt, bans: bans.map(known) };
  }

  async places(where: Where, room: RoomName, asked: unknown): Promise<Json> {
    const { at, came, gone } = placesAsk.parse(asked);
    const place = placeOf(where, room);
    const here = came.slice(0, MAX_USERS_A_CALL);
    const away = gone.slice(0, MAX_USERS_A_CALL - here.length);
    const cameTo = byShare(here, ({ user }) => user);
    const goneFrom = byShare(away, (user) => user);
    const shares = [...new Set([...cameTo.keys(), ...goneFrom.keys()])];
    const answers = await Promise.all(
      shares.map((share) => {
        const moved = { at, came: cameTo.get(share) ?? [], gone: goneFrom.get(share) ?? [] };
        return within(this.users.getByName(share).moved(place, moved), DEADLINE_MS, NO_ANSWER);
      }),
    );
    // Of several the oldest: a room takes what it was told later for newer.
    const askedAt = Math.min(...answers.map((answer) => answer.askedAt));
    const bans = answers.flatMap((answer) => answer.bans.map((ban) => ({ ...known(ban), user: ban.user })));
    return { askedAt, came: here.map(({ user }) => user), gone: away, bans };
  }

  /** In order: a ban and its end may follow each other. A ban everywhere of somebody who is an admin elsewhere is refused. */
  async writes(room: RoomName, asked: unknown): Promise<Json> {
    const { writes } = bansAsk.parse(asked);
    const refused: number[] = [];
    let askedAt = 0;
    for (const { n, scope, user, reason, untilMs, by, at, isLifted, from } of writes) {
      const isEverywhere = scope === "everywhere";
      const write = { scope: isEverywhere ? EVERYWHERE : `${room.kind}/${room.id}`, user, by, at, isLifted };
      const written = await this.#write(
        {
          ...write,
          reason: reason ?? null,
          untilMs: untilMs ?? null,
          // Only an admin bans everywhere: of other bans the room has judged.
          ...(isEverywhere && !isLifted ? { role: "admin" } : {}),
        },
        isLifted || from === undefined ? [] : [from],
      );
      if (written) askedAt = Math.max(askedAt, written.askedAt);
      else refused.push(n);
    }
    return { askedAt: askedAt || Date.now(), done: writes.map(({ n }) => n), refused };
  }

  /** Sets an admin's ban, unless its user is an admin too. Answers whether it was set. */
  async put(ban: Omit<Ban, "scope">): Promise<boolean> {
    const write = { ...ban, scope: EVERYWHERE, isLifted: false, role: "admin" } as const;
    return (await this.#write(write, [])) !== undefined;
  }

  /** Answers whether there was one. */
  async lift(user: string, by: string, at: number): Promise<boolean> {
    const end = { scope: EVERYWHERE, user, by, at, reason: null, untilMs: null, isLifted: true };
    return (await this.#write(end, []))?.isLifted ?? false;
  }

  /** The database holds something else of a user's bans than before. */
  async reread(user: string): Promise<void> {
    await this.#call(user, (object) => object.reread(user));
  }

  async find(user: string, now: number): Promise<Ban | undefined> {
    const [ban] = await bansOf(this.db, [user], [EVERYWHERE], now);
    return ban;
  }

  list(after: string, limit: number, now: number): Promise<Ban[]> {
    return listBans(this.db, EVERYWHERE, { after, limit }, now);
  }

  /** `undefined`: refused for the user's role. */
  async #write(
    write: BanWrite,
    from: readonly string[],
  ): Promise<{ askedAt: number; isLifted: boolean } | undefined> {
    const { user, scope } = write;
    const written = await this.#call(user, (object) => object.write(write));
    if (written.isRefused) return undefined;
    // Before the rooms are told: a user who was sent away has no known address. One who is banned everywhere may have several.
    const addresses = new Set([...from, ...written.addresses]);
    await Promise.all([...addresses].map((address) => this.closeAddress(address)));
    if (scope === EVERYWHERE) await this.#call(user, (object) => object.changed(user));
    return written;
  }

  /** Calls the object of a user, with a deadline. */
  #call<T>(user: string, ask: (object: DurableObjectStub<UserObject>) => Promise<T>): Promise<T> {
    return within(ask(this.users.getByName(shareOf(user))), DEADLINE_MS, NO_ANSWER);
  }
}

const NO_ANSWER = "The object of a user did not answer";

/** As it goes over the wire: what is absent is not there. */
type ToldBan = { scope: "room" | "everywhere"; reason?: string; untilMs?: number };

function known({ scope, reason, untilMs }: HeldBan): ToldBan {
  return {
    scope: scope === EVERYWHERE ? "everywhere" : "room",
    ...(reason === null ? {} : { reason }),
    ...(untilMs === null ? {} : { untilMs }),
  };
}
