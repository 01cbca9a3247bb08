import type { Rate } from "../../../src/protocol/rates";
import { boundsOf } from "../../../src/room/api/kind";
import { PENALTY, PENALTY_RATE } from "../../../src/room/inbound/penalties";
import type { Deployment } from "../deployment";
import type { SimulationModule } from "../simulation-module";

const ratesByDeployment = new WeakMap<Deployment, Map<string, Rate | null>>();

/** Limits: no window of what became durable holds more than its rate. */
export const rates: SimulationModule = {
  name: "rates",
  moves: {},
  onRecord(deployment, _, life, record) {
    for (const [user, , , at, , rule] of record.o ?? []) {
      const rate = rule == null ? null : readRates(deployment).get(rule);
      if (rule == null || !rate) continue;
      const stamps = life.stamps.get(`${rule}\0${user}`) ?? [];
      let inside = 0;
      for (let n = stamps.length - 1; n >= 0 && (stamps[n] as number) > at - rate.perMs; n--) inside++;
      if (inside > rate.count)
        deployment.reportBreach(5, `${user} did ${rule} ${inside} times in ${rate.perMs} ms`);
    }
  },

  /** An alarm removes stamps that have aged out. Read from inside the room: nothing on the wire shows it. */
  onAlarm(deployment, { process, name }) {
    const { room, runtime } = process;
    if (!room?.exists || runtime.hasFailingWrites || process.hasReadFailed) return;
    const { state, clock } = room["context"];
    for (const [rule, user, stamps] of state.windows.entries()) {
      const perMs = rule === PENALTY ? PENALTY_RATE.perMs : (readRates(deployment).get(rule)?.perMs ?? 0);
      const newest = stamps.at(-1) ?? 0;
      if (newest + perMs < clock.now)
        deployment.reportBreach(8, `${name} holds what ${user} did of ${rule} ${clock.now - newest} ms ago`);
    }
  },
};

function readRates(deployment: Deployment): Map<string, Rate | null> {
  const known = ratesByDeployment.get(deployment);
  if (known) return known;
  const [kind] = deployment.releases;
  const all = kind.features.flatMap((feature) => Object.entries(boundsOf(feature)));
  const inForce = new Map(
    all.map(([rule, { rate }]) => {
      const over = deployment.plan.settings.rules[rule];
      return [rule, over === undefined ? rate : over] as const;
    }),
  );
  ratesByDeployment.set(deployment, inForce);
  return inForce;
}
