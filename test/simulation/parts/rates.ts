import { boundsOf } from "../../../src/room/kind";
import { OFFENCE, OFFENCE_RATE } from "../../../src/room/offences";
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

  /** An alarm lets go of what has aged out. Read from inside: nothing on the wire tells. */
  rang(deployment, { process, name }) {
    const { room, world } = process;
    if (!room?.exists || world.hasTrouble || process.couldNotRead) return;
    const { memory, clock } = room["parts"];
    for (const [rule, user, stamps] of memory.windows.entries()) {
      const perMs = rule === OFFENCE ? OFFENCE_RATE.perMs : (ratesOf(deployment).get(rule)?.perMs ?? 0);
      const newest = stamps.at(-1) ?? 0;
      if (newest + perMs < clock.now)
        deployment.breach(8, `${name} holds what ${user} did of ${rule} ${clock.now - newest} ms ago`);
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
