import type { Json } from "../../../src/protocol/messages";
import type { Part } from "../part";
import type { Process } from "../process";

/** What only the outside can do for a room: asked again until it is answered, however it fails, and whoever asks. */
export const errands: Part = {
  name: "errands",
  moves: {
    owe: {
      weight: 5,
      go: (deployment, chance) =>
        void deployment
          .anyTab(chance)
          ?.do("debt", "owe", { n: 1 + chance.below(9), now: chance.below(3) > 0 }),
    },
  },

  settled(deployment) {
    for (const { truth, name } of deployment.objects) {
      const [outstanding] = truth.life?.errands ?? [];
      if (outstanding !== undefined) deployment.breach(18, `${outstanding} of ${name} is not over`);
    }
  },
};

/** What a process asks of the outside leaves by its gate; whoever is asked may be late, fail, or do it without saying so. */
export function outside(process: Process, answer: () => Json | Promise<Json>): Promise<Json> {
  const { deployment, world } = process;
  return new Promise((resolve, reject) => {
    world.release(() => {
      const { chance, faults, clock } = deployment;
      const fate = faults ? chance.below(6) : 5;
      const ms = faults && chance.below(5) === 0 ? chance.below(30_000) : 1 + chance.below(200);
      deployment.counts.errands++;
      // It is done in an event of its own: the clock waits for that.
      clock.in(1, async () => {
        const done = fate === 1 ? null : await answer();
        clock.in(ms, () =>
          process.deliver(() => {
            // Nobody is told that it was done; or it could not be done at all.
            if (fate === 1) reject(new Error("The outside cannot be reached."));
            else if (fate > 1) resolve(done);
            return Promise.resolve();
          }),
        );
      });
    });
  });
}
