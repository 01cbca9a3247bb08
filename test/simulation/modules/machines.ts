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
      run(deployment, chance) {
        const object = pickObject(deployment, chance);
        const turns = chance.below(object.process.runtime.pendingTurns + 1);
        deployment.trace(() => `  ${object.name} crashes with ${turns} turns durable`);
        deployment.countFault("crash");
        object.crash(turns, drawMaybeSkew(deployment, chance));
      },
    },
    "die in the middle": {
      weight: 4,
      run(deployment, chance) {
        deployment.countFault("crash within a step");
        pickObject(deployment, chance).process.runtime.dieAfter(chance.below(12));
      },
    },
    sleep: {
      weight: 10,
      run(deployment, chance) {
        const { process } = pickObject(deployment, chance);
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
      async run(deployment, chance) {
        await deployment.advance(QUIET_MS + 5_000);
        const object = pickObject(deployment, chance);
        if (!isQuiet(object.process)) return;
        fallAsleep(deployment, object.process);
        deployment.countFault("read failed");
        object.process.runtime.faultReads(chance.below(3), "failing");
        const here = deployment.pickClient(chance, (client) => client.object === object && client.isOnline);
        here?.do("lab", "add", { n: 1 });
      },
    },
    release: {
      weight: 3,
      run(deployment, chance) {
        const object = pickObject(deployment, chance);
        const turns = chance.below(object.process.runtime.pendingTurns + 1);
        const kind = chance.pick(deployment.releases);
        deployment.countFault(
          kind === object.process.kind ? "move to another machine" : "release of other code",
        );
        const old = object.supersede(kind, turns, drawMaybeSkew(deployment, chance));
        if (chance.below(2)) {
          deployment.countFault("writes of an old instance fail");
          old.runtime.failWrites(Number.POSITIVE_INFINITY, chance.pick(["rejecting", "throwing"]));
        }
        deployment.clock.in(chance.below(chance.pick([100, 60_000])), () => object.end(old));
      },
    },
    "fail writes": {
      weight: 3,
      run(deployment, chance) {
        deployment.countFault("write failed");
        const { runtime: world } = pickObject(deployment, chance).process;
        world.failWrites(1 + chance.below(2), chance.pick(["rejecting", "throwing"]));
      },
    },
    "fail reads": {
      weight: 2,
      run(deployment, chance) {
        deployment.countFault("read failed");
        const { runtime: world } = pickObject(deployment, chance).process;
        world.faultReads(chance.below(6), chance.pick(["failing", "dying"]));
      },
    },
    "crash and fail to read": {
      weight: 3,
      run(deployment, chance) {
        const object = pickObject(deployment, chance);
        deployment.countFault("crash");
        deployment.countFault("read failed");
        object.crash(chance.below(object.process.runtime.pendingTurns + 1));
        object.process.runtime.faultReads(chance.below(8), chance.pick(["failing", "dying"]));
      },
    },
    /** Whatever the next alarm is to write, the disk refuses once or twice. */
    "refuse the next alarm": {
      weight: 2,
      run(deployment, chance) {
        const object = pickObject(deployment, chance);
        const { runtime: world, skewMs } = object.process;
        const at = world.durableAlarmAt;
        if (at === null) return;
        if (chance.below(2) && isQuiet(object.process)) fallAsleep(deployment, object.process);
        const count = 1 + chance.below(2);
        const how = chance.pick(["rejecting", "throwing", "throwing"] as const);
        deployment.clock.at(at - skewMs - 1, () => {
          if (!deployment.injectsFaults || object.process.runtime !== world) return;
          deployment.countFault("write failed");
          world.failWrites(count, how);
        });
      },
    },
    "ring again": {
      weight: 3,
      run(deployment, chance) {
        deployment.countFault("alarm doubled");
        return pickObject(deployment, chance).fireAlarm(true);
      },
    },
    "set a clock": {
      weight: 2,
      run(deployment, chance) {
        deployment.countFault("clock set");
        pickObject(deployment, chance).process.skewMs = drawSkew(deployment, chance);
      },
    },
    /** Far, either way, and right again after a while. */
    "step a clock": {
      weight: 6,
      run(deployment, chance) {
        const { stepMs = 0 } = deployment.plan;
        if (stepMs === 0) return;
        deployment.countFault("clock stepped");
        const object = pickObject(deployment, chance);
        object.setClock(chance.pick([stepMs, -stepMs, chance.below(stepMs), -chance.below(stepMs)]));
        const right = () => deployment.injectsFaults && object.setClock(drawSkew(deployment, chance));
        deployment.clock.in(chance.below(chance.pick([500, 5_000, 60_000])), () => void right());
      },
    },
  },

  onTurn(deployment, object) {
    const { process } = object;
    const { runtime: world } = process;
    if (world.hasFailingWrites || process.room === undefined || !world.has("room")) return;
    const { alarmAt } = world;
    // By the clock as it last had reason to read it: a machine's may be set while nobody says anything.
    const { clock } = process.room["context"];
    const now = clock.now - clock.aheadMs;
    if (alarmAt === null) deployment.reportBreach(6, `${object.name} stores something and has no alarm`);
    else if (alarmAt > now + deployment.plan.settings.idleMs + 1) {
      deployment.reportBreach(6, `the alarm of ${object.name} is ${alarmAt - now} ms ahead`);
    }
  },

  /** Whatever became of the alarm, there is another: also where its room failed in it. */
  onAlarm(deployment, { process, name }) {
    const { runtime: world } = process;
    if (world.has("room") && world.alarmAt === null && !world.hasFailingWrites && !world.isSuperseded)
      deployment.reportBreach(6, `${name} stores something, and its alarm was the last`);
  },

  onStored(deployment, { process, truth, name }) {
    // Where the disk could not be read nobody knows whether something is there: one alarm more is to find that out.
    if (process.hasReadFailed) return;
    const isGone = process.room?.isOver && truth.keys.size === 0 && !process.runtime.hasFailingWrites;
    if (isGone && process.runtime.durableAlarmAt !== null)
      deployment.reportBreach(15, `${name} is gone and has an alarm`);
  },

  checkSettled(deployment) {
    for (const { process, name } of deployment.objects) {
      // A room that nobody speaks to does not read its clock: what it would say now.
      const ahead = process.room ? process.room["context"].clock.roomAt(process.now) - process.now : 0;
      // From two days nobody catches up in a story.
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

function pickObject(deployment: Deployment, chance: Random) {
  return chance.pick(deployment.objects);
}

function drawMaybeSkew(deployment: Deployment, chance: Random): number {
  const { process } = chance.pick(deployment.objects);
  return chance.below(3) === 0 ? drawSkew(deployment, chance) : process.skewMs;
}

function drawSkew({ plan }: Deployment, chance: Random): number {
  return chance.below(2 * plan.skewMs + 1) - plan.skewMs;
}
