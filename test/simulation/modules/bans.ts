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

/** Who moderates whom, and that whoever is banned is gone, stays away and scores no more. */
export const bans: SimulationModule = {
  name: "bans",
  moves: {
    mute: {
      weight: 2,
      run: (deployment, chance) =>
        moderate(deployment, chance, "mute", () => ({ forMs: 1 + chance.below(30_000) })),
    },
    unmute: { weight: 1, run: (deployment, chance) => moderate(deployment, chance, "unmute", () => ({})) },
    kick: { weight: 1, run: (deployment, chance) => moderate(deployment, chance, "kick", () => ({})) },
    ban: {
      weight: 2,
      run: (deployment, chance) => moderate(deployment, chance, "ban", () => drawBan(deployment, chance)),
    },
    /** By an operator, from outside every room. */
    "ban over HTTP": {
      weight: 1,
      run(deployment, chance) {
        const user = deployment.pickClient(chance, (client) => client.role === "player")?.user;
        const { untilMs = null } = drawBan(deployment, chance);
        return user === undefined
          ? undefined
          : deployment.services.banOverHttp(user, untilMs as number | null);
      },
    },
    "lift over HTTP": {
      weight: 1.5,
      run(deployment, chance) {
        const user = deployment.pickClient(chance)?.user;
        return user === undefined ? undefined : deployment.services.liftOverHttp(user);
      },
    },
    unban: { weight: 3, run: (deployment, chance) => moderate(deployment, chance, "unban", () => ({})) },
    /** The ban and the points are on their way together: which of them the database sees first is nobody's to say. */
    "ban who has just scored": {
      weight: 3,
      run(deployment, chance) {
        const host = pickLeader(deployment, chance);
        const user = host && pickOther(deployment, chance, host)?.user;
        if (!host || user === undefined) return;
        for (let n = 1 + chance.below(3); n > 0; n--)
          host.do("scores", "award", { user, points: 1 + chance.below(9), board: "main" });
        deployment.clock.in(chance.below(6_000), () =>
          host.do("moderation", "ban", { user, ...drawBan(deployment, chance) }),
        );
        // Whoever has been banned may still be given points: they are in the room's ledger, and go no further.
        deployment.clock.in(chance.below(12_000), () =>
          host.do("scores", "award", { user, points: 1 + chance.below(9), board: "main" }),
        );
      },
    },
  },

  /** From the record that bans somebody on, nobody of that name holds a socket that was welcome. */
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
    const { services: outside, objects, clients } = deployment;
    await outside.users.settled();
    for (const object of objects) {
      for (const { user } of clients.filter((client) => client.object === object && client.isOnline)) {
        if (
          outside.bans.isBanned(user, `main/${object.id}`, outside.now) &&
          isBannedHere(object, user, deployment)
        )
          deployment.reportBreach(19, `${user} is banned from ${object.name} and came back`);
      }
    }
    for (const { id, truth } of objects) {
      for (const user of readRoomBans(truth.current, outside.now)) {
        if (!outside.bans.isBannedFrom(`main/${id}`, user, outside.now))
          deployment.reportBreach(23, `${id} has banned ${user}, and the database was not told`);
      }
    }
    for (const { scope, user } of outside.bans.all) {
      const isMeant = outside.bans.isBannedFrom(scope, user, outside.now);
      const [row] = outside.database.rows(
        `select exists (select 1 from bans where scope = ${quoteSql(scope)} and user = ${quoteSql(user)} and (until_ms is null or until_ms > ${outside.now})) as held, ${bannedSql(quoteSql(user), quoteSql(scope), String(outside.now))} as banned`,
      );
      if (Boolean(row?.held) !== isMeant)
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

/** By the room's own records, or by a ban everywhere that every room was told of. */
function isBannedHere({ truth }: RoomObject, user: string, deployment: Deployment): boolean {
  const { services: outside } = deployment;
  if (outside.bans.isBannedFrom("everywhere", user, outside.now)) return true;
  if (isAdmin(deployment, user)) return false;
  return readRoomBans(truth.current, outside.now).includes(user);
}

/** Whom no ban in a room holds for: a host banned them before the room knew who that was. */
function isAdmin({ clients }: Deployment, user: string): boolean {
  return clients.some((client) => client.user === user && client.role === "admin");
}

/** Whom a room itself has banned, by its own records, and for longer than a clock may be wrong. */
function readRoomBans(life: EpochHistory | undefined, now: number): string[] {
  const hidden = life?.privateStates.get("moderation") as
    | { room: readonly (readonly [string, Omit<Ban, "user">])[] }
    | undefined;
  return (hidden?.room ?? [])
    .filter(([, { untilMs }]) => (untilMs ?? Number.POSITIVE_INFINITY) > now + 60_000)
    .map(([user]) => user);
}

function moderate(
  deployment: Deployment,
  chance: Random,
  action: string,
  more: () => Record<string, string | number>,
): void {
  const host = pickLeader(deployment, chance);
  const user = host && pickOther(deployment, chance, host)?.user;
  if (host && user !== undefined) host.do("moderation", action, { user, ...more() });
}

function drawBan(deployment: Deployment, chance: Random): Record<string, string | number> {
  const scope = chance.pick(["room", "room", "everywhere"]);
  const now = Math.floor(deployment.clock.now);
  return chance.below(2) ? { scope } : { scope, untilMs: now + 1_000 + chance.below(120_000) };
}

function pickOther(deployment: Deployment, chance: Random, host: Client): Client | undefined {
  return deployment.pickClient(
    chance,
    (client) => client.object === host.object && client.user !== host.user,
  );
}

function pickLeader(deployment: Deployment, chance: Random): Client | undefined {
  return deployment.pickClient(chance, (client) => client.role !== "player" && client.isOnline);
}

function quoteSql(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
