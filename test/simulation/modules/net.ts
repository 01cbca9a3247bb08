import type { SimulationModule } from "../simulation-module";

/** Faults of the network. */
export const net: SimulationModule = {
  name: "net",
  moves: {
    cut: {
      weight: 8,
      run(deployment, random) {
        const tab = deployment.pickClient(random, (one) => one.link !== undefined && !one.link.isClosed);
        if (!tab) return;
        deployment.countFault("connection cut");
        tab.link?.cut();
      },
    },
    "read slowly": {
      weight: 5,
      run(deployment, random) {
        const tab = deployment.pickClient(random, (one) => one.link !== undefined && !one.link.isClosed);
        if (!tab?.link) return;
        deployment.countFault("reader stalled");
        tab.link.stalledUntil = deployment.clock.now + random.below(random.pick([1_000, 20_000, 60_000]));
      },
    },
    /** A handshake arrives after the one that took its place. */
    "hold back a handshake": {
      weight: 3,
      run: (deployment, random) =>
        void deployment.heldBackMs.push(random.below(random.pick([2_000, 20_000, 40_000]))),
    },
    /** A paused reader catches up just while a frame with its own events is open. */
    "fall behind and catch up": {
      weight: 3,
      run(deployment, random) {
        const tab = deployment.pickTab(random, (one) => one.isOnline);
        const other =
          tab && deployment.pickClient(random, (one) => one.object === tab.object && one.isOnline);
        if (!tab || !other) return;
        tab.isSilent = true;
        const { clock } = deployment;
        for (let n = 4 + random.below(30); n > 0; n--) other.do("lab", "many", { count: 4, chars: 700 });
        for (let n = 0; n < 40; n++) {
          clock.in(500 + 9 * n, () => {
            // The first is committed at once, and later ones gather.
            for (let deals = n < 20 ? 0 : 2; deals > 0; deals--)
              other.do("lab", "deal", { to: [tab.user, other.user] });
            if (tab.isOnline) tab.send(JSON.stringify({ t: "seen", seq: tab.seq }));
          });
        }
        clock.in(1_000, () => {
          tab.isSilent = false;
        });
      },
    },
    "say what is read": {
      weight: 5,
      run(deployment, random) {
        const tab = deployment.pickTab(random, (one) => one.isOnline);
        tab?.send(JSON.stringify({ t: "seen", seq: tab.seq }));
      },
    },
    /** A client reads nothing, and claims all the time to have read everything, with made-up marks. */
    "say that all is read, and read nothing": {
      weight: 3,
      run(deployment, random) {
        const tab = deployment.pickTab(random, (one) => one.isOnline);
        const other =
          tab &&
          deployment.pickClient(
            random,
            (one) => one.user !== tab.user && one.object === tab.object && one.isOnline,
          );
        if (!tab?.link || !other) return;
        deployment.countFault("reader lies");
        const { link } = tab;
        link.stalledUntil = deployment.clock.now + 60_000;
        const claims = ["", ',"m":"00000000"'];
        for (let n = 0; n < 150; n++) {
          deployment.clock.in(60 * n, () => {
            other.do("lab", "many", { count: 4, chars: 700 });
            link.sendUp(`{"t":"seen","seq":9007199254740991${random.pick(claims)}}`);
          });
        }
      },
    },
    "stop saying what is read": {
      weight: 2,
      run(deployment, random) {
        const tab = deployment.pickTab(random);
        if (tab) tab.isSilent = !tab.isSilent;
      },
    },
  },
};
