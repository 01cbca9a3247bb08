import type { Deployment } from "../deployment";
import type { Move, SimulationModule } from "../simulation-module";

/** Two or three rare things that meet: by chance alone that happens in one scenario of thousands. */
export const coincidences: SimulationModule = {
  name: "coincidences",
  moves: {
    /** The room hears of it after the page has heard that it broke. */
    "second socket breaks unheard": secondSocketMove("breaks unheard"),
    /** The live socket's token ends while the second is on its way: it is closed, and arrives after the one that is opened next. */
    "second socket comes late": secondSocketMove("comes late"),
    "checksums while something gathers": {
      weight: 2,
      run(deployment, random) {
        const tab = deployment.pickTab(random, (one) => one.isOnline);
        const other =
          tab && deployment.pickClient(random, (one) => one.object === tab.object && one.isOnline);
        if (!tab || !other) return;
        const { clock } = deployment;
        tab.isSilent = true;
        for (let n = 4 + random.below(30); n > 0; n--) other.do("lab", "many", { count: 4, chars: 700 });
        for (let n = 0; n < 60; n++) {
          clock.in(450 + 9 * n, () => {
            if (n % 3 === 0 && n < 12) tab.send('{"t":"verify"}');
            for (let deals = 2; deals > 0; deals--) other.do("lab", "deal", { to: [other.user] });
            if (tab.isOnline) tab.send(JSON.stringify({ t: "seen", seq: tab.seq }));
          });
        }
        clock.in(1_000, () => {
          tab.isSilent = false;
        });
      },
    },
    /** The call that set the ban is made once more when it has been lifted. */
    "ban, unban, and the ban again": {
      weight: 2,
      run(deployment, random) {
        const host = deployment.pickClient(random, (one) => one.role !== "player" && one.isOnline);
        const other =
          host && deployment.pickClient(random, (one) => one.object === host.object && one.role === "player");
        if (!host || !other) return;
        const { user } = other;
        deployment.repeatsCallsUntil = deployment.clock.now + 10_000;
        host.do("moderation", "ban", { user, scope: "room" });
        deployment.clock.in(3_000 + random.below(4_000), () =>
          host.do("moderation", "unban", { user, scope: "room" }),
        );
      },
    },
    /** A completed action is sent again, just when the clock has stepped ahead. */
    "step a clock, and say it again": {
      weight: 3,
      run(deployment, random) {
        const { stepMs = 0 } = deployment.plan;
        const tab = deployment.pickTab(random, (one) => one.isOnline);
        if (!tab || stepMs === 0) return;
        deployment.countFault("clock stepped");
        tab.do("lab", "add", { n: 1 });
        const again = [...tab.actions.values()].at(-1);
        const { epoch } = tab;
        deployment.clock.in(1_500, () => {
          if (!deployment.injectsFaults) return;
          tab.object.setClock(stepMs);
          if (again?.epoch === epoch && tab.epoch === epoch && again?.outcome === "done")
            tab.send(again.text);
        });
        deployment.clock.in(3_000, () => void (deployment.injectsFaults && tab.object.setClock(0)));
      },
    },
    /** A client repeats an old, honest `seen` and reads nothing more. */
    "say what was read long ago": {
      weight: 2,
      run(deployment, random) {
        const tab = deployment.pickTab(random, (one) => one.isOnline);
        const other =
          tab &&
          deployment.pickClient(random, (one) => one !== tab && one.object === tab.object && one.isOnline);
        if (!tab || !other) return;
        const { seq } = tab;
        tab.isSilent = true;
        for (let n = 0; n < 60; n++) {
          deployment.clock.in(70 * n, () => {
            other.do("lab", "many", { count: 4, chars: 700 });
            tab.send(JSON.stringify({ t: "seen", seq }));
          });
        }
        deployment.clock.in(6_000, () => {
          tab.isSilent = false;
        });
      },
    },
    /** The same of a client that gets answers all the time, after a number that it has not read, or resumed from. */
    "ask on, and say what was read long ago": {
      weight: 2,
      run(deployment, random) {
        const tab = deployment.pickTab(random, (one) => one.isOnline);
        if (!tab) return;
        const { seq } = tab;
        tab.isSilent = true;
        tab.do("lab", "add", { n: 1 });
        if (random.below(2) === 0) {
          deployment.clock.in(400, () => {
            if (tab.isOnline) tab.connect();
          });
        }
        for (let n = 0; n < 60; n++) {
          deployment.clock.in(500 + 70 * n, () => {
            tab.do("lab", "echo", { text: "x".repeat(700) });
            tab.send(JSON.stringify({ t: "seen", seq }));
          });
        }
        deployment.clock.in(6_000, () => {
          tab.isSilent = false;
        });
      },
    },
  },
};

/** A user comes whose token is renewed within the minute, over a second socket beside the live one. */
function secondSocketMove(becomes: NonNullable<ReturnType<Deployment["secondSocketFaults"]["get"]>>): Move {
  return {
    weight: 2,
    run(deployment, random) {
      const page = deployment.pickPage(random);
      if (!page || page.endedBy !== undefined) return;
      page.leave();
      page.connect(20_000 + random.below(20_000));
      deployment.secondSocketFaults.set(page.user, becomes);
    },
  };
}
