import type { SimulationModule } from "../simulation-module";

/** A feature with one of everything: numbers, private cards, timers, answers without events, events of any size, urgency. */
export const lab: SimulationModule = {
  name: "lab",
  moves: {
    add: {
      weight: 10,
      run: (deployment, random) => deployment.pickClient(random)?.do("lab", "add", { n: random.below(9) }),
    },
    deal: {
      weight: 6,
      run(deployment, random) {
        const to = [
          deployment.pickClient(random)?.user ?? "ann",
          deployment.pickClient(random)?.user ?? "bob",
        ];
        deployment.pickClient(random)?.do("lab", "deal", { to });
      },
    },
    ask: {
      weight: 6,
      run: (deployment, random) =>
        deployment
          .pickClient(random)
          ?.do("lab", random.pick(["peek", "nothing", "both", "urgent", "hide"]), {}),
    },
    "be refused": {
      weight: 1,
      run: (deployment, random) => deployment.pickClient(random)?.do("lab", "refused", {}),
    },
    "press the small": {
      weight: 3,
      run(deployment, random) {
        const tab = deployment.pickClient(random, (one) => one.isOnline);
        for (let n = 0; n < 4; n++) tab?.do("lab", "small", { text: "x" });
      },
    },
    fill: {
      weight: 4,
      run: (deployment, random) =>
        deployment
          .pickClient(random, (one) => one.isOnline)
          ?.do("lab", "many", { count: 1 + random.below(5), chars: 1 + random.below(500) }),
    },
    "set a timer": {
      weight: 5,
      run: (deployment, random) =>
        deployment.pickClient(random)?.do("lab", "timer", {
          name: `t${random.below(4)}`,
          afterMs: random.below(4) ? random.below(random.pick([100, 9_000, 120_000])) : null,
        }),
    },
  },

  /** Only running a due timer clears it, or an action that asks for that. */
  onRecord(deployment, object, life, record) {
    if (record.o) return;
    for (const { name, at } of life.cleared) {
      const [feature, timer] = name.split("/");
      if (feature !== "lab" || at > record.at) continue;
      if (!record.text?.includes(`"n":"rang","d":{"name":"${timer}"}`)) {
        deployment.reportBreach(16, `${name} of ${object.name} was due at ${at} and is gone`);
      }
    }
  },

  checkSettled(deployment) {
    for (const object of deployment.objects) {
      for (const [name, at] of object.truth.current?.timers ?? []) {
        if (at + 10_000 < object.process.now)
          deployment.reportBreach(16, `${name} of ${object.name} was due at ${at}`);
      }
    }
  },
};
