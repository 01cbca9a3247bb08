import type { Random } from "../../platforms/random";
import type { Deployment } from "../deployment";
import type { Process } from "../process";
import type { SimulationModule } from "../simulation-module";

/** How long an object is quiet before its memory is taken. */
const QUIET_MS = 10_000;

/** What happens to processes, disks, alarms and clocks. */
export const machines: SimulationModule = {
  name: "machines",
  moves: {
    crash: {
      weight: 5,
      run(deployment, random) {
        const object = pickObject(deployment, random);
        const turns = random.below(object.process.runtime.pendingTurns + 1);
        deployment.trace(() => `  ${object.name} crashes with ${turns} turns durable`);
        deployment.countFault("crash");
        object.crash(turns, drawMaybeSkew(deployment, random));
      },
    },
    "die in the middle": {
      weight: 4,
      run(deployment, random) {
        deployment.countFault("crash within a step");
        pickObject(deployment, random).process.runtime.dieAfter(random.below(12));
      },
    },
    sleep: {
      weight: 10,
      run(deployment, random) {
        const { process } = pickObject(deployment, random);
        if (isQuiet(process)) fallAsleep(deployment, process);
      },
    },
    "sleep of all": {
      weight: 6,
      async run(deployment) {
        await deployment.advance(QUIET_MS + 5_000);
        for (const { process } of deployment.objects) {
          if (isQuiet(process)) fallAsleep(deployment, process);
        }
      },
    },
    "wake to a disk that cannot be read": {
      weight: 3,
      async run(deployment, random) {
        await deployment.advance(QUIET_MS + 5_000);
        const object = pickObject(deployment, random);
        if (!isQuiet(object.process)) return;
        fallAsleep(deployment, object.process);
        deployment.countFault("read failed");
        object.process.runtime.faultReads(random.below(3), "failing");
        const here = deployment.pickClient(random, (client) => client.object === object && client.isOnline);
        here?.do("lab", "add", { n: 1 });
      },
    },
    release: {
      weight: 3,
      run(deployment, random) {
        const object = pickObject(deployment, random);
        const turns = random.below(object.process.runtime.pendingTurns + 1);
        const kind = random.pick(deployment.releases);
        deployment.countFault(
          kind === object.process.kind ? "move to another machine" : "release of other code",
        );
        const old = object.supersede(kind, turns, drawMaybeSkew(deployment, random));
        if (random.below(2)) {
          deployment.countFault("writes of an old instance fail");
          old.runtime.failWrites(Number.POSITIVE_INFINITY, random.pick(["rejecting", "throwing"]));
        }
        deployment.clock.in(random.below(random.pick([100, 60_000])), () => object.end(old));
      },
    },
    "fail writes": {
      weight: 3,
      run(deployment, random) {
        deployment.countFault("write failed");
        const { runtime } = pickObject(deployment, random).process;
        runtime.failWrites(1 + random.below(2), random.pick(["rejecting", "throwing"]));
      },
    },
    "fail reads": {
      weight: 2,
      run(deployment, random) {
        deployment.countFault("read failed");
        const { runtime } = pickObject(deployment, random).process;
        runtime.faultReads(random.below(6), random.pick(["failing", "dying"]));
      },
    },
    "crash and fail to read": {
      weight: 3,
      run(deployment, random) {
        const object = pickObject(deployment, random);
        deployment.countFault("crash");
        deployment.countFault("read failed");
        object.crash(random.below(object.process.runtime.pendingTurns + 1));
        object.process.runtime.faultReads(random.below(8), random.pick(["failing", "dying"]));
      },
    },
    /** The disk refuses the next writes of an alarm, once or twice. */
    "refuse the next alarm": {
      weight: 2,
      run(deployment, random) {
        const object = pickObject(deployment, random);
        const { runtime, skewMs } = object.process;
        const at = runtime.durableAlarmAt;
        if (at === null) return;
        if (random.below(2) && isQuiet(object.process)) fallAsleep(deployment, object.process);
        const count = 1 + random.below(2);
        const how = random.pick(["rejecting", "throwing", "throwing"] as const);
        deployment.clock.at(at - skewMs - 1, () => {
          if (!deployment.injectsFaults || object.process.runtime !== runtime) return;
          deployment.countFault("write failed");
          runtime.failWrites(count, how);
        });
      },
    },
    "ring again": {
      weight: 3,
      run(deployment, random) {
        deployment.countFault("alarm doubled");
        return pickObject(deployment, random).fireAlarm(true);
      },
    },
    "set a clock": {
      weight: 2,
      run(deployment, random) {
        deployment.countFault("clock set");
        pickObject(deployment, random).process.skewMs = drawSkew(deployment, random);
      },
    },
    /** The clock steps far, either way, and is right again after a while. */
    "step a clock": {
      weight: 6,
      run(deployment, random) {
        const { stepMs = 0 } = deployment.plan;
        if (stepMs === 0) return;
        deployment.countFault("clock stepped");
        const object = pickObject(deployment, random);
        object.setClock(random.pick([stepMs, -stepMs, random.below(stepMs), -random.below(stepMs)]));
        const right = () => deployment.injectsFaults && object.setClock(drawSkew(deployment, random));
        deployment.clock.in(random.below(random.pick([500, 5_000, 60_000])), () => void right());
      },
    },
  },

  onTurn(deployment, object) {
    const { process } = object;
    const { runtime } = process;
    if (runtime.hasFailingWrites || process.room === undefined || !runtime.has("room")) return;
    const { alarmAt } = runtime;
    // By the clock as the room last read it: the machine's may be set while no message comes.
    const { clock } = process.room["context"];
    const now = clock.now - clock.aheadMs;
    if (alarmAt === null) deployment.reportBreach(6, `${object.name} stores something and has no alarm`);
    else if (alarmAt > now + deployment.plan.settings.idleMs + 1) {
      deployment.reportBreach(6, `the alarm of ${object.name} is ${alarmAt - now} ms ahead`);
    }
  },

  /** After any alarm there is another, also if the room failed in its handler. */
  onAlarm(deployment, { process, name }) {
    const { runtime } = process;
    if (runtime.has("room") && runtime.alarmAt === null && !runtime.hasFailingWrites && !runtime.isSuperseded)
      deployment.reportBreach(6, `${name} stores something, and its alarm was the last`);
  },

  onStored(deployment, { process, truth, name }) {
    // If the disk could not be read, one more alarm is allowed to find out whether the room exists.
    if (process.hasReadFailed) return;
    const isGone = process.room?.isOver && truth.keys.size === 0 && !process.runtime.hasFailingWrites;
    if (isGone && process.runtime.durableAlarmAt !== null)
      deployment.reportBreach(15, `${name} is gone and has an alarm`);
  },

  checkSettled(deployment) {
    for (const { process, name } of deployment.objects) {
      // A room without messages does not read its clock: compute what it would say now.
      const ahead = process.room ? process.room["context"].clock.roomAt(process.now) - process.now : 0;
      // A lead of two days cannot be caught up within a scenario.
      if (ahead > 0 && (deployment.plan.stepMs ?? 0) <= 90_000)
        deployment.reportBreach(24, `${name} is ${ahead} ms ahead of its machine's clock`);
      if (process.hasTimers)
        deployment.reportBreach(6, `${name} is quiet, and has a timer that keeps it awake`);
    }
  },

  checkEnded(deployment) {
    for (const { process, truth, name } of deployment.objects) {
      const kept = process.runtime.keys();
      if (kept.length > 0) deployment.reportBreach(15, `${name} keeps ${kept.slice(0, 5)}`);
      if (truth.keys.size > 0)
        deployment.reportBreach(15, `the disk of ${name} keeps ${[...truth.keys].slice(0, 5)}`);
      if (process.runtime.alarmAt !== null) deployment.reportBreach(15, `${name} is gone and has an alarm`);
    }
  },
};

function isQuiet(process: Process): boolean {
  return process.canSleep && process.deployment.clock.now - process.lastActiveAt >= QUIET_MS;
}

function fallAsleep(deployment: Deployment, process: Process): void {
  deployment.countFault("hibernation");
  process.sleep();
}

function pickObject(deployment: Deployment, random: Random) {
  return random.pick(deployment.objects);
}

function drawMaybeSkew(deployment: Deployment, random: Random): number {
  const { process } = random.pick(deployment.objects);
  return random.below(3) === 0 ? drawSkew(deployment, random) : process.skewMs;
}

function drawSkew({ plan }: Deployment, random: Random): number {
  return random.below(2 * plan.skewMs + 1) - plan.skewMs;
}
