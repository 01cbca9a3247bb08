import { type Ban, bansOf, EVERYWHERE, liftBan, listBans, putBan } from "../../boards/bans";
import { bansAsk, placesAsk } from "../../features/moderation/outside";
import { type Role, roles } from "../../protocol/codes";
import type { Json } from "../../protocol/messages";
import type { BanAnswer } from "./ban-book";
import { placeOf, type Where } from "./place";
import type { UserObject } from "./user-object";
import { byShare, shareOf } from "./user-share";

/** What the storage of one object takes in one call, should all of them belong to one. */
const MAX_USERS_A_CALL = 100;

export type UserObjects = DurableObjectNamespace<UserObject>;
interface RoomName {
  kind: string;
  id: string;
}

/** Lets nobody new in as a guest from an address for a while. */
export type CloseAddress = (from: string) => Promise<void>;

/** Keeps the bans, for edges, rooms and operators: the database says who is banned, users' objects where they are. */
export class BanKeeper {
  constructor(
    private readonly db: D1Database,
    private readonly users: UserObjects,
    private readonly closeAddress: CloseAddress,
  ) {}

  async ask(user: string, room: string): Promise<BanAnswer> {
    const askedAt = Date.now();
    const found = await bansOf(this.db, [user], [EVERYWHERE, room], askedAt);
    return { askedAt, bans: found.map(known) };
  }

  /** The place first, the bans after: a ban that is set meanwhile finds the one or is found by the other. */
  async places(where: Where, room: RoomName, asked: unknown): Promise<Json> {
    const { at, came, gone } = placesAsk.parse(asked);
    const place = placeOf(where, room);
    const here = came.slice(0, MAX_USERS_A_CALL);
    const away = gone.slice(0, MAX_USERS_A_CALL - here.length);
    const cameTo = byShare(here, ({ user }) => user);
    const goneFrom = byShare(away, (user) => user);
    await Promise.all(
      [...new Set([...cameTo.keys(), ...goneFrom.keys()])].map((share) => {
        const moved = { at, came: cameTo.get(share) ?? [], gone: goneFrom.get(share) ?? [] };
        return this.users.getByName(share).moved(place, moved);
      }),
    );
    const askedAt = Date.now();
    const names = here.map(({ user }) => user);
    const scopes = [EVERYWHERE, `${room.kind}/${room.id}`];
    const found = names.length > 0 ? await bansOf(this.db, names, scopes, askedAt) : [];
    const bans = found.map((ban) => ({ ...known(ban), user: ban.user }));
    return { askedAt, came: names, gone: away, bans };
  }

  /** In order: a ban and its end may follow each other. */
  async writes(room: RoomName, asked: unknown): Promise<Json> {
    const { writes } = bansAsk.parse(asked);
    for (const { scope, user, reason, untilMs, by, at, isLifted, from } of writes) {
      const stored = scope === "everywhere" ? EVERYWHERE : `${room.kind}/${room.id}`;
      if (isLifted) await liftBan(this.db, stored, user, { by, at });
      else
        await putBan(this.db, {
          scope: stored,
          user,
          reason: reason ?? null,
          untilMs: untilMs ?? null,
          by,
          at,
        });
      if (!isLifted) {
        // Whoever is banned everywhere may be in other rooms, and come from elsewhere.
        const others = scope === "everywhere" ? await this.#objectOf(user).addresses(user) : [];
        await this.#close(from === undefined ? others : [from, ...others]);
      }
      if (scope === "everywhere") await this.#tell(user);
    }
    return { askedAt: Date.now(), done: writes.map(({ n }) => n) };
  }

  async put(ban: Omit<Ban, "scope">): Promise<void> {
    await putBan(this.db, { ...ban, scope: EVERYWHERE });
    // Before they are sent away, for then nobody knows any more where they were from.
    await this.#close(await this.#objectOf(ban.user).addresses(ban.user));
    await this.#tell(ban.user);
  }

  async lift(user: string, by: string, at: number): Promise<boolean> {
    const isLifted = await liftBan(this.db, EVERYWHERE, user, { by, at });
    await this.#tell(user);
    return isLifted;
  }

  async find(user: string, now: number): Promise<Ban | undefined> {
    const [ban] = await bansOf(this.db, [user], [EVERYWHERE], now);
    return ban;
  }

  list(after: string, limit: number, now: number): Promise<Ban[]> {
    return listBans(this.db, EVERYWHERE, { after, limit }, now);
  }

  /** Whether somebody of this role may moderate the user, by the role the user holds where they are. */
  async mayModerate(by: Role, user: string): Promise<boolean> {
    return roles.indexOf(await this.#objectOf(user).role(user)) < roles.indexOf(by);
  }

  async #close(addresses: readonly string[]): Promise<void> {
    await Promise.all([...new Set(addresses)].map((from) => this.closeAddress(from)));
  }

  #objectOf(user: string) {
    return this.users.getByName(shareOf(user));
  }

  async #tell(user: string): Promise<void> {
    await this.#objectOf(user).changed(user);
  }
}

/** As it goes over the wire: what is absent is not there. */
type ToldBan = { scope: "room" | "everywhere"; reason?: string; untilMs?: number };

function known({ scope, reason, untilMs }: Ban): ToldBan {
  return {
    scope: scope === EVERYWHERE ? "everywhere" : "room",
    ...(reason === null ? {} : { reason }),
    ...(untilMs === null ? {} : { untilMs }),
  };
}
