import type { Json } from "../../../src/protocol/messages";
import type { Process } from "../process";
import { ObjectEnded } from "../simulated-users";
import type { SimulationModule } from "../simulation-module";

/** Effects: a room retries each until it is answered, through every fault and across processes. */
export const effects: SimulationModule = {
  name: "effects",
  moves: {
    owe: {
      weight: 5,
      run: (deployment, random) =>
        deployment
          .pickClient(random)
          ?.do("debt", "owe", { n: 1 + random.below(9), now: random.below(3) > 0 }),
    },
  },

  checkSettled(deployment) {
    for (const { truth, name } of deployment.objects) {
      const [outstanding] = truth.current?.effects ?? [];
      if (outstanding !== undefined) deployment.reportBreach(18, `${outstanding} of ${name} is not over`);
    }
  },
};

const effectFates = ["done", "done", "done", "done and silent", "not done", "late again"] as const;

/**
 * A process's effect leaves by its gate. The service may be late, fail, do it without an answer, or do it once more when
 * no caller waits for it (`isGhost`).
 */
export function runEffect(process: Process, work: (isGhost: boolean) => Promise<Json>): Promise<Json> {
  const { deployment, runtime: world } = process;
  return new Promise((resolve, reject) => {
    world.release(() => {
      const { random, injectsFaults: faults, clock } = deployment;
      const isRepeated = clock.now < deployment.repeatsCallsUntil;
      const fate = !faults ? "done" : isRepeated ? "late again" : random.pick(effectFates);
      const ms = faults && random.below(5) === 0 ? random.below(30_000) : 1 + random.below(200);
      deployment.counts.effects++;
      if (fate !== "done") deployment.countFault(`effect ${fate}`);
      else if (ms > 10_000) deployment.countFault("effect answered too late");
      if (fate === "late again")
        clock.in(
          (isRepeated ? 20_000 : 0) + random.below(40_000),
          async () => void (await attempt(() => work(true))),
        );
      // It is done in an event of its own: the clock waits for that.
      clock.in(1, async () => {
        const outcome = fate === "not done" ? undefined : await attempt(() => work(false));
        clock.in(ms, () =>
          process.deliver(() => {
            if (outcome === undefined) reject(new Error("The service cannot be reached."));
            else if (fate !== "done and silent") resolve(outcome.done);
            return Promise.resolve();
          }),
        );
      });
    });
  });
}

/** The service's result; undefined where it ended in the middle of it. */
async function attempt(work: () => Promise<Json>): Promise<{ done: Json } | undefined> {
  try {
    return { done: await work() };
  } catch (error) {
    if (error instanceof ObjectEnded) return undefined;
    throw error;
  }
}
