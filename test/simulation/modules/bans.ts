import type { NumberedEvent } from "../../../src/protocol/messages";
import type { FrameRecord } from "../../../src/room/storage/record";
import { bannedSql } from "../../../src/services/bans/contract";
import type { Random } from "../../platforms/random";
import { ADMIN_EVERYWHERE, type Client } from "../client";
import type { Deployment } from "../deployment";
import type { EpochHistory } from "../durable-history";
import type { RoomObject } from "../room-object";
import type { SimulationModule } from "../simulation-module";

interface Ban {
  scope: "room" | "everywhere";
  user: string;
  untilMs?: number;
}

/** Moderation: a banned user is gone, stays away and scores no more. */
export const bans: SimulationModule = {
  name: "bans",
  moves: {
    mute: {
      weight: 2,
      run: (deployment, random) =>
        moderate(deployment, random, "mute", () => ({ forMs: 1 + random.below(30_000) })),
    },
    unmute: { weight: 1, run: (deployment, random) => moderate(deployment, random, "unmute", () => ({})) },
    kick: { weight: 1, run: (deployment, random) => moderate(deployment, random, "kick", () => ({})) },
    ban: {
      weight: 2,
      run: (deployment, random) => moderate(deployment, random, "ban", () => drawBan(deployment, random)),
    },
    /** By an operator, from outside every room. */
    "ban over HTTP": {
      weight: 1,
      run(deployment, random) {
        const user = deployment.pickClient(random, (client) => client.role === "player")?.user;
        const { untilMs = null } = drawBan(deployment, random);
        return user === undefined
          ? undefined
          : deployment.services.banOverHttp(user, untilMs as number | null);
      },
    },
    "lift over HTTP": {
      weight: 1.5,
      run(deployment, random) {
        const user = deployment.pickClient(random)?.user;
        return user === undefined ? undefined : deployment.services.liftOverHttp(user);
      },
    },
    unban: { weight: 3, run: (deployment, random) => moderate(deployment, random, "unban", () => ({})) },
    /** The ban and the points are on their way together: either may reach the database first. */
    "ban who has just scored": {
      weight: 3,
      run(deployment, random) {
        const host = pickLeader(deployment, random);
        const user = host && pickOther(deployment, random, host)?.user;
        if (!host || user === undefined) return;
        for (let n = 1 + random.below(3); n > 0; n--)
          host.do("scores", "award", { user, points: 1 + random.below(9), board: "main" });
        deployment.clock.in(random.below(6_000), () =>
          host.do("moderation", "ban", { user, ...drawBan(deployment, random) }),
        );
        // A banned user may still be awarded points: they stay in the room's ledger, and go no further.
        deployment.clock.in(random.below(12_000), () =>
          host.do("scores", "award", { user, points: 1 + random.below(9), board: "main" }),
        );
      },
    },
  },

  /** From the record of a ban on, the banned user has no socket that was welcomed. */
  onRecord(deployment, object, _, record) {
    for (const { f, n, d, by } of eventsOf(record)) {
      if (f !== "moderation" || !isOfBan(n) || (d as unknown as Ban).scope !== "everywhere") continue;
      if (by !== undefined && by !== ADMIN_EVERYWHERE)
        deployment.reportBreach(25, `${by} has ${n} ${(d as unknown as Ban).user} everywhere`);
    }
    for (const [f, n, d] of record.p ?? []) {
      if (f !== "moderation" || n !== "barred") continue;
      const { user, scope } = JSON.parse(d) as Ban;
      if (scope === "room" && isAdmin(deployment, user)) continue;
      for (const socket of object.process.sockets) {
        if (socket.user === user && socket.isOpen && socket.stream.isWelcomed) {
          deployment.reportBreach(19, `${user} is banned from ${object.name} and still there`);
        }
      }
    }
  },

  async checkSettled(deployment) {
    const { services, objects, clients } = deployment;
    await services.users.settled();
    for (const object of objects) {
      for (const { user } of clients.filter((client) => client.object === object && client.isOnline)) {
        if (
          services.bans.isBanned(user, `main/${object.id}`, services.now) &&
          isBannedHere(object, user, deployment)
        )
          deployment.reportBreach(19, `${user} is banned from ${object.name} and came back`);
      }
    }
    for (const { id, truth } of objects) {
      for (const user of readRoomBans(truth.current, services.now)) {
        if (!services.bans.isBannedFrom(`main/${id}`, user, services.now))
          deployment.reportBreach(23, `${id} has banned ${user}, and the database does not know`);
      }
    }
    for (const { scope, user } of services.bans.all) {
      const isMeant = services.bans.isBannedFrom(scope, user, services.now);
      const [row] = services.database.rows(
        `select exists (select 1 from bans where scope = ${quoteSql(scope)} and user = ${quoteSql(user)} and (until_ms is null or until_ms > ${services.now})) as stored, ${bannedSql(quoteSql(user), quoteSql(scope), String(services.now))} as banned`,
      );
      if (Boolean(row?.stored) !== isMeant)
        deployment.reportBreach(
          23,
          `${user} is ${isMeant ? "" : "no longer "}banned from ${scope}, and the database holds otherwise`,
        );
    }
  },
};

function eventsOf({ text }: FrameRecord): NumberedEvent[] {
  return text === undefined ? [] : (JSON.parse(text) as { e: NumberedEvent[] }).e;
}

function isOfBan(n: string): boolean {
  return n === "banned" || n === "unbanned";
}

/** By the room's own records, or by a ban everywhere that every room knows. */
function isBannedHere({ truth }: RoomObject, user: string, deployment: Deployment): boolean {
  const { services } = deployment;
  if (services.bans.isBannedFrom("everywhere", user, services.now)) return true;
  if (isAdmin(deployment, user)) return false;
  return readRoomBans(truth.current, services.now).includes(user);
}

/** No ban in a room holds for an admin: a host may ban one before the room knows the role. */
function isAdmin({ clients }: Deployment, user: string): boolean {
  return clients.some((client) => client.user === user && client.role === "admin");
}

/** The users that a room itself has banned, by its own records, for longer than a clock may be wrong. */
function readRoomBans(life: EpochHistory | undefined, now: number): string[] {
  const privateState = life?.privateStates.get("moderation") as
    | { room: readonly (readonly [string, Omit<Ban, "user">])[] }
    | undefined;
  return (privateState?.room ?? [])
    .filter(([, { untilMs }]) => (untilMs ?? Number.POSITIVE_INFINITY) > now + 60_000)
    .map(([user]) => user);
}

function moderate(
  deployment: Deployment,
  random: Random,
  action: string,
  more: () => Record<string, string | number>,
): void {
  const host = pickLeader(deployment, random);
  const user = host && pickOther(deployment, random, host)?.user;
  if (host && user !== undefined) host.do("moderation", action, { user, ...more() });
}

function drawBan(deployment: Deployment, random: Random): Record<string, string | number> {
  const scope = random.pick(["room", "room", "everywhere"]);
  const now = Math.floor(deployment.clock.now);
  return random.below(2) ? { scope } : { scope, untilMs: now + 1_000 + random.below(120_000) };
}

function pickOther(deployment: Deployment, random: Random, host: Client): Client | undefined {
  return deployment.pickClient(
    random,
    (client) => client.object === host.object && client.user !== host.user,
  );
}

function pickLeader(deployment: Deployment, random: Random): Client | undefined {
  return deployment.pickClient(random, (client) => client.role !== "player" && client.isOnline);
}

function quoteSql(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
