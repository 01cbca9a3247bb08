import type { Part } from "../part";

/** What a net does to connections. */
export const net: Part = {
  name: "net",
  moves: {
    cut: {
      weight: 8,
      go(deployment, chance) {
        const tab = deployment.anyone(chance, (held) => held.link !== undefined && !held.link.isOver);
        if (!tab) return;
        deployment.fault("connection cut");
        tab.link?.cut();
      },
    },
    "read slowly": {
      weight: 5,
      go(deployment, chance) {
        const tab = deployment.anyone(chance, (held) => held.link !== undefined && !held.link.isOver);
        if (!tab?.link) return;
        deployment.fault("reader stalled");
        tab.link.stalledUntil = deployment.clock.now + chance.below(chance.pick([1_000, 20_000, 60_000]));
      },
    },
    /** It arrives after the one that took its place. */
    "hold back a handshake": {
      weight: 3,
      go: (deployment, chance) =>
        void deployment.heldBackMs.push(chance.below(chance.pick([2_000, 20_000, 40_000]))),
    },
    /** A paused reader comes to the end of what it missed just while something of its own gathers. */
    "fall behind and catch up": {
      weight: 3,
      go(deployment, chance) {
        const tab = deployment.anyTab(chance, (held) => held.isOnline);
        const other = tab && deployment.anyone(chance, (one) => one.object === tab.object && one.isOnline);
        if (!tab || !other) return;
        tab.isMute = true;
        const { clock } = deployment;
        for (let n = 4 + chance.below(30); n > 0; n--) other.do("lab", "many", { count: 4, chars: 700 });
        for (let n = 0; n < 40; n++) {
          clock.in(500 + 9 * n, () => {
            // The first is committed at once, and what follows gathers.
            for (let deals = n < 20 ? 0 : 2; deals > 0; deals--)
              other.do("lab", "deal", { to: [tab.user, other.user] });
            if (tab.isOnline) tab.say(JSON.stringify({ t: "seen", seq: tab.seq }));
          });
        }
        clock.in(1_000, () => {
          tab.isMute = false;
        });
      },
    },
    "say what is read": {
      weight: 5,
      go(deployment, chance) {
        const tab = deployment.anyTab(chance, (held) => held.isOnline);
        tab?.say(JSON.stringify({ t: "seen", seq: tab.seq }));
      },
    },
    /** Reads nothing, and says all the time that it has read all that there is, with marks that it makes up. */
    "say that all is read, and read nothing": {
      weight: 3,
      go(deployment, chance) {
        const tab = deployment.anyTab(chance, (held) => held.isOnline);
        const other =
          tab &&
          deployment.anyone(
            chance,
            (one) => one.user !== tab.user && one.object === tab.object && one.isOnline,
          );
        if (!tab?.link || !other) return;
        deployment.fault("reader lies");
        const { link } = tab;
        link.stalledUntil = deployment.clock.now + 60_000;
        const claims = ["", ',"m":"00000000"'];
        for (let n = 0; n < 150; n++) {
          deployment.clock.in(60 * n, () => {
            other.do("lab", "many", { count: 4, chars: 700 });
            link.up(`{"t":"seen","seq":9007199254740991${chance.pick(claims)}}`);
          });
        }
      },
    },
    "stop saying what is read": {
      weight: 2,
      go(deployment, chance) {
        const tab = deployment.anyTab(chance);
        if (tab) tab.isMute = !tab.isMute;
      },
    },
  },
};
