import { bansAsk, placesAsk } from "../../../src/features/moderation/outside";
import type { Json } from "../../../src/protocol/messages";
import type { Deployment } from "../deployment";
import type { Part } from "../part";
import type { RoomObject } from "../room-object";
import type { Life } from "../truth";

interface Ban {
  scope: "room" | "everywhere";
  user: string;
  untilMs?: number;
}

/** Who moderates whom, and that whoever is banned is gone and stays away. */
export const bans: Part = {
  name: "bans",
  moves: {
    mute: {
      weight: 2,
      go(deployment, chance) {
        const user = deployment.anyTab(chance)?.user ?? "ann";
        leader(deployment, chance)?.do("moderation", "mute", { user, forMs: 1 + chance.below(30_000) });
      },
    },
    unmute: {
      weight: 1,
      go: (deployment, chance) =>
        void leader(deployment, chance)?.do("moderation", "unmute", {
          user: deployment.anyTab(chance)?.user ?? "ann",
        }),
    },
    kick: {
      weight: 1,
      go: (deployment, chance) =>
        void leader(deployment, chance)?.do("moderation", "kick", {
          user: deployment.anyTab(chance)?.user ?? "ann",
        }),
    },
    ban: {
      weight: 1,
      go: (deployment, chance) =>
        void leader(deployment, chance)?.do("moderation", "ban", {
          user: deployment.anyTab(chance)?.user ?? "ann",
          scope: chance.pick(["room", "room", "everywhere"]),
        }),
    },
    unban: {
      weight: 2,
      go(deployment, chance) {
        leader(deployment, chance)?.do("moderation", "unban", {
          user: deployment.anyTab(chance)?.user ?? "ann",
        });
      },
    },
  },

  /** From the record that bans somebody on, nobody of that name holds a socket that was welcome. */
  recorded(deployment, object, _, record) {
    for (const [f, n, d] of record.p ?? []) {
      if (f !== "moderation" || n !== "barred") continue;
      const { user } = JSON.parse(d) as Ban;
      for (const socket of object.process.sockets) {
        if (socket.user === user && socket.isOpen && socket.reading.isGreeted) {
          deployment.breach(19, `${user} is banned from ${object.name} and still there`);
        }
      }
    }
  },

  settled(deployment) {
    for (const object of deployment.objects) {
      for (const user of barredFrom(object.truth.life)) {
        const there = deployment.tabs.some(
          (tab) => tab.object === object && tab.user === user && tab.isOnline,
        );
        if (there) deployment.breach(19, `${user} is banned from ${object.name} and came back`);
      }
    }
  },
};

/** Whom a room itself has banned: by its own records, oldest first. */
export function barredFrom(life: Life | undefined): string[] {
  const hidden = life?.hidden.get("moderation") as { room: readonly (readonly [string, Ban])[] } | undefined;
  return (hidden?.room ?? []).map(([user]) => user);
}

const kept = new WeakMap<Deployment, Map<string, Ban>>();

/** Whoever keeps the bans for all rooms; what it answers is what rooms then know. */
export function keepBans(
  deployment: Deployment,
  object: RoomObject,
  name: "places" | "bans",
  ask: Json,
): Json {
  const all = kept.get(deployment) ?? new Map<string, Ban>();
  kept.set(deployment, all);
  const askedAt = Math.floor(deployment.clock.now);
  const keyOf = (scope: string, user: string) => `${scope === "everywhere" ? scope : object.name}\0${user}`;
  if (name === "bans") {
    const { writes } = bansAsk.parse(ask);
    for (const { scope, user, untilMs, isLifted } of writes) {
      if (isLifted) all.delete(keyOf(scope, user));
      else all.set(keyOf(scope, user), { scope, user, ...(untilMs === undefined ? {} : { untilMs }) });
    }
    return { askedAt, done: writes.map(({ n }) => n) };
  }
  const { came, gone } = placesAsk.parse(ask);
  const users = came.map(({ user }) => user);
  const found = users.flatMap((user) =>
    ["everywhere", "room"].flatMap((scope) => all.get(keyOf(scope, user)) ?? []).map((ban) => ({ ...ban })),
  );
  return { askedAt, came: users, gone, bans: found };
}

function leader(deployment: Deployment, chance: Parameters<Deployment["anyTab"]>[0]) {
  return deployment.anyTab(chance, (tab) => tab.role !== "player");
}
