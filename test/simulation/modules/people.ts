import { MAX_CONNECTIONS_PER_MEMBER, MAX_LEADERS_PAST_FULL } from "../../../src/protocol/limits";
import type { SimulationModule } from "../simulation-module";

const ROLES = ["host", "player", "player", "admin", "player"] as const;

/** Users come and go with several tabs; the member list has to agree. */
export const people: SimulationModule = {
  name: "people",
  moves: {
    come: {
      weight: 12,
      run(deployment, random) {
        const { plan, objects } = deployment;
        const away = deployment.pickClient(random, (one) => !one.isWanted && one.endedBy === undefined);
        if (away && random.below(3) > 0) return away.join();
        const person = random.below(plan.people);
        const user = ["ann", "bob", "__proto__", "1", "zoë 💥", "constructor", "dan", "eve"][
          person
        ] as string;
        const tab = `tab${random.below(3)}`;
        const object = random.pick(objects);
        const known = deployment.clients.find(
          (one) => one.object === object && one.user === user && one.tab === tab,
        );
        if (known) return known.join();
        const usual = ROLES[person % ROLES.length] ?? "player";
        // In every other scenario hosts are admins for some rooms.
        const role = usual === "host" && plan.seed % 2 === 0 ? "admin" : usual;
        deployment.newClient(object, user, tab, role, random).connect();
      },
    },
    leave: {
      weight: 4,
      run: (deployment, random) => deployment.pickClient(random, (one) => one.isWanted)?.leave(),
    },
    renew: {
      weight: 2,
      // The newer socket comes while the older is open. A page does so by itself, when its token is about to end.
      run: (deployment, random) => deployment.pickTab(random, (tab) => tab.isOnline)?.connect(),
    },
    "come for a while": {
      weight: 2,
      run: (deployment, random) =>
        deployment
          .pickClient(random, (one) => one.endedBy === undefined)
          ?.connect(1_000 + random.below(60_000)),
    },
    /** A handshake that was in flight when a user left arrives after they have come again. */
    "leave and come again at once": {
      weight: 2,
      run(deployment, random) {
        const page = deployment.pickPage(random);
        if (!page?.isWanted || page.endedBy !== undefined) return;
        const again = () => {
          page.leave();
          page.join();
        };
        deployment.heldBackMs.push(1_000 + random.below(20_000));
        again();
        deployment.clock.in(5, again);
      },
    },
    "look again": { weight: 2, run: (deployment, random) => deployment.pickPage(random)?.reconnect() },
    reload: {
      weight: 2,
      run(deployment, random) {
        const page = deployment.pickPage(random);
        page?.reload(page.object.process.kind);
      },
    },
    "set a status": {
      weight: 3,
      run: (deployment, random) =>
        deployment.pickClient(random)?.do("presence", "set", { status: `s${random.below(9)}` }),
    },
  },

  onRecord(deployment, object, _, record) {
    const gone = (record.m ?? []).filter((change) => !("number" in change)).map(({ user }) => user);
    for (const { user, isOpen, stream: reading } of object.process.sockets) {
      if (isOpen && reading.isWelcomed && gone.includes(user))
        deployment.reportBreach(12, `${user} has left, says ${object.name}`);
    }
  },

  checkSettled(deployment) {
    for (const object of deployment.objects) {
      const here = new Set(
        deployment.clients.filter((one) => one.object === object && one.isOnline).map(({ user }) => user),
      );
      const listed = [...(object.truth.current?.members.keys() ?? [])];
      if (listed.length !== here.size || listed.some((user) => !here.has(user))) {
        deployment.reportBreach(14, `members of ${object.name} are ${listed}; here are ${[...here]}`);
      }
      for (const tab of deployment.clients.filter((one) => one.object === object && one.isWanted)) {
        const theirs = deployment.clients.filter(
          (one) => one.object === object && one.user === tab.user && one.isOnline,
        );
        const seats = deployment.plan.settings.maxUsers + (tab.role === "player" ? 0 : MAX_LEADERS_PAST_FULL);
        const isFull = here.size >= seats || theirs.length >= MAX_CONNECTIONS_PER_MEMBER;
        if (!tab.isOnline && tab.endedBy === undefined && !isFull) {
          deployment.reportBreach(14, `${tab.user}/${tab.tab} is not in ${object.name}`);
        }
      }
    }
  },
};
