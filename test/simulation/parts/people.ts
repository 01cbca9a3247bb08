import { MAX_CONNECTIONS_PER_MEMBER, MAX_LEADERS_PAST_FULL } from "../../../src/protocol/limits";
import type { Part } from "../part";

const ROLES = ["host", "player", "player", "admin", "player"] as const;

/** Who comes and goes, with how many tabs, and who is said to be here. */
export const people: Part = {
  name: "people",
  moves: {
    come: {
      weight: 12,
      go(deployment, chance) {
        const { plan, objects } = deployment;
        const away = deployment.anyone(chance, (one) => !one.isWanted && one.barredBy === undefined);
        if (away && chance.below(3) > 0) return away.come();
        const person = chance.below(plan.people);
        const user = ["ann", "bob", "__proto__", "1", "zoë 💥", "constructor", "dan", "eve"][
          person
        ] as string;
        const tab = `tab${chance.below(3)}`;
        const object = chance.pick(objects);
        const known = deployment.clients.find(
          (held) => held.object === object && held.user === user && held.tab === tab,
        );
        if (known) return known.come();
        const usual = ROLES[person % ROLES.length] ?? "player";
        // In every other story hosts are admins for some rooms.
        const role = usual === "host" && plan.seed % 2 === 0 ? "admin" : usual;
        deployment.newClient(object, user, tab, role, chance).connect();
      },
    },
    leave: {
      weight: 4,
      go: (deployment, chance) => deployment.anyone(chance, (one) => one.isWanted)?.leave(),
    },
    renew: {
      weight: 2,
      // The newer socket comes while the older is open. A page does so by itself, when its token is about to end.
      go: (deployment, chance) => deployment.anyTab(chance, (tab) => tab.isOnline)?.connect(),
    },
    "come for a while": {
      weight: 2,
      go: (deployment, chance) =>
        deployment.anyone(chance, (one) => one.barredBy === undefined)?.connect(1_000 + chance.below(60_000)),
    },
    /** What was on its way when somebody left arrives after they have come again. */
    "leave and come again at once": {
      weight: 2,
      go(deployment, chance) {
        const page = deployment.anyPage(chance);
        if (!page?.isWanted || page.barredBy !== undefined) return;
        const again = () => {
          page.leave();
          page.come();
        };
        deployment.heldBackMs.push(1_000 + chance.below(20_000));
        again();
        deployment.clock.in(5, again);
      },
    },
    "look again": { weight: 2, go: (deployment, chance) => deployment.anyPage(chance)?.nudge() },
    reload: {
      weight: 2,
      go(deployment, chance) {
        const page = deployment.anyPage(chance);
        page?.reload(page.object.process.kind);
      },
    },
    "set a status": {
      weight: 3,
      go: (deployment, chance) =>
        deployment.anyone(chance)?.do("presence", "set", { status: `s${chance.below(9)}` }),
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
        deployment.clients.filter((one) => one.object === object && one.isOnline).map(({ user }) => user),
      );
      const told = [...(object.truth.life?.members.keys() ?? [])];
      if (told.length !== here.size || told.some((user) => !here.has(user))) {
        deployment.breach(14, `members of ${object.name} are ${told}; here are ${[...here]}`);
      }
      for (const tab of deployment.clients.filter((held) => held.object === object && held.isWanted)) {
        const theirs = deployment.clients.filter(
          (held) => held.object === object && held.user === tab.user && held.isOnline,
        );
        const seats = deployment.plan.settings.maxUsers + (tab.role === "player" ? 0 : MAX_LEADERS_PAST_FULL);
        const isFull = here.size >= seats || theirs.length >= MAX_CONNECTIONS_PER_MEMBER;
        if (!tab.isOnline && tab.barredBy === undefined && !isFull) {
          deployment.breach(14, `${tab.user}/${tab.tab} is not in ${object.name}`);
        }
      }
    }
  },
};
