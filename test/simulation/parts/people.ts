import { MAX_CONNECTIONS_PER_MEMBER } from "../../../src/protocol/limits";
import type { Part } from "../part";

const ROLES = ["player", "player", "player", "host", "admin"] as const;

/** Who comes and goes, with how many tabs, and who is said to be here. */
export const people: Part = {
  name: "people",
  moves: {
    come: {
      weight: 12,
      go(deployment, chance) {
        const { plan, objects } = deployment;
        const away = deployment.anyTab(chance, (tab) => !tab.isWanted && tab.barredBy === undefined);
        if (away && chance.below(3) > 0) return away.come();
        const person = chance.below(plan.people);
        const user = ["ann", "bob", "__proto__", "1", "zoë 💥", "constructor", "dan", "eve"][
          person
        ] as string;
        const tab = `tab${chance.below(3)}`;
        const object = chance.pick(objects);
        const known = deployment.tabs.find(
          (held) => held.object === object && held.user === user && held.tab === tab,
        );
        if (known) {
          known.barredBy = undefined;
          return known.come();
        }
        deployment.newTab(object, user, tab, ROLES[person % ROLES.length] ?? "player").connect();
      },
    },
    leave: {
      weight: 4,
      go: (deployment, chance) => deployment.anyTab(chance, (tab) => tab.isWanted)?.leave(),
    },
    renew: {
      weight: 2,
      // The newer socket comes while the older is open.
      go: (deployment, chance) => deployment.anyTab(chance, (tab) => tab.isOnline)?.connect(),
    },
    "come for a while": {
      weight: 1,
      go: (deployment, chance) =>
        deployment.anyTab(chance, (tab) => tab.isOnline)?.connect(1_000 + chance.below(60_000)),
    },
    "set a status": {
      weight: 3,
      go: (deployment, chance) =>
        void deployment.anyTab(chance)?.do("presence", "set", { status: `s${chance.below(9)}` }),
    },
  },

  recorded(deployment, object, _, record) {
    const gone = (record.m ?? []).filter((change) => !("number" in change)).map(({ user }) => user);
    for (const { user, isOpen, reading } of object.process.sockets) {
      if (isOpen && reading.isGreeted && gone.includes(user))
        deployment.breach(12, `${user} has left, says ${object.name}`);
    }
  },

  settled(deployment) {
    for (const object of deployment.objects) {
      const here = new Set(
        deployment.tabs.filter((tab) => tab.object === object && tab.isOnline).map(({ user }) => user),
      );
      const told = [...(object.truth.life?.members.keys() ?? [])];
      if (told.length !== here.size || told.some((user) => !here.has(user))) {
        deployment.breach(14, `members of ${object.name} are ${told}; here are ${[...here]}`);
      }
      for (const tab of deployment.tabs.filter((held) => held.object === object && held.isWanted)) {
        const theirs = deployment.tabs.filter(
          (held) => held.object === object && held.user === tab.user && held.isOnline,
        );
        const isFull =
          here.size >= deployment.plan.settings.maxUsers || theirs.length >= MAX_CONNECTIONS_PER_MEMBER;
        if (!tab.isOnline && tab.barredBy === undefined && !isFull) {
          deployment.breach(14, `${tab.user}/${tab.tab} is not in ${object.name}`);
        }
      }
    }
  },
};
