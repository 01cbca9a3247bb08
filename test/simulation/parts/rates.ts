import { boundsOf } from "../../../src/room/kind";
import type { Rate } from "../../../src/room/settings";
import type { Deployment } from "../deployment";
import type { Part } from "../part";

const known = new WeakMap<Deployment, Map<string, Rate | null>>();

/** Limits: no window of what became durable holds more than its rate. */
export const rates: Part = {
  name: "rates",
  moves: {},
  recorded(deployment, _, life, record) {
    for (const [user, , , at, , rule] of record.o ?? []) {
      const rate = rule == null ? null : ratesOf(deployment).get(rule);
      if (rule == null || !rate) continue;
      const stamps = life.stamps.get(`${rule}\0${user}`) ?? [];
      let inside = 0;
      for (let n = stamps.length - 1; n >= 0 && (stamps[n] as number) > at - rate.perMs; n--) inside++;
      if (inside > rate.count)
        deployment.breach(5, `${user} did ${rule} ${inside} times in ${rate.perMs} ms`);
    }
  },
};

function ratesOf(deployment: Deployment): Map<string, Rate | null> {
  const held = known.get(deployment);
  if (held) return held;
  const [kind] = deployment.kinds;
  const all = kind.features.flatMap((feature) => Object.entries(boundsOf(feature)));
  const inForce = new Map(
    all.map(([rule, { rate }]) => {
      const over = deployment.plan.settings.rules[rule];
      return [rule, over === undefined ? rate : over] as const;
    }),
  );
  known.set(deployment, inForce);
  return inForce;
}
