import type { Random } from "../../platforms/random";
import type { Deployment } from "../deployment";
import type { Part } from "../part";
import type { Process } from "../process";

/** How long an object is quiet before its memory is taken. */
const QUIET_MS = 10_000;

/** What happens to processes, disks, alarms and clocks. */
export const machines: Part = {
  name: "machines",
  moves: {
    crash: {
      weight: 5,
      go(deployment, chance) {
        const object = anyObject(deployment, chance);
        const turns = chance.below(object.process.world.pendingTurns + 1);
        deployment.trace(() => `  ${object.name} crashes with ${turns} turns durable`);
        deployment.fault("crash");
        object.crash(turns, anySkew(deployment, chance));
      },
    },
    "die in the middle": {
      weight: 4,
      go(deployment, chance) {
        deployment.fault("crash within a step");
        anyObject(deployment, chance).process.world.dieAfter(chance.below(12));
      },
    },
    sleep: {
      weight: 10,
      go(deployment, chance) {
        const { process } = anyObject(deployment, chance);
        if (isQuiet(process)) fallAsleep(deployment, process);
      },
    },
    "sleep of all": {
      weight: 6,
      async go(deployment) {
        await deployment.pass(QUIET_MS + 5_000);
        for (const { process } of deployment.objects) {
          if (isQuiet(process)) fallAsleep(deployment, process);
        }
      },
    },
    "wake to a disk that cannot be read": {
      weight: 3,
      async go(deployment, chance) {
        await deployment.pass(QUIET_MS + 5_000);
        const object = anyObject(deployment, chance);
        if (!isQuiet(object.process)) return;
        fallAsleep(deployment, object.process);
        deployment.fault("read failed");
        object.process.world.faultReads(chance.below(3), "failing");
        const here = deployment.anyone(chance, (client) => client.object === object && client.isOnline);
        here?.do("lab", "add", { n: 1 });
      },
    },
    release: {
      weight: 3,
      go(deployment, chance) {
        const object = anyObject(deployment, chance);
        const turns = chance.below(object.process.world.pendingTurns + 1);
        const kind = chance.pick(deployment.kinds);
        deployment.fault(kind === object.process.kind ? "move to another machine" : "release of other code");
        const old = object.supersede(kind, turns, anySkew(deployment, chance));
        if (chance.below(2)) {
          deployment.fault("writes of an old instance fail");
          old.world.failWrites(Number.POSITIVE_INFINITY, chance.pick(["rejecting", "throwing"]));
        }
        deployment.clock.in(chance.below(chance.pick([100, 60_000])), () => object.end(old));
      },
    },
    "fail writes": {
      weight: 3,
      go(deployment, chance) {
        deployment.fault("write failed");
        const { world } = anyObject(deployment, chance).process;
        world.failWrites(1 + chance.below(2), chance.pick(["rejecting", "throwing"]));
      },
    },
    "fail reads": {
      weight: 2,
      go(deployment, chance) {
        deployment.fault("read failed");
        const { world } = anyObject(deployment, chance).process;
        world.faultReads(chance.below(6), chance.pick(["failing", "dying"]));
      },
    },
    "crash and fail to read": {
      weight: 3,
      go(deployment, chance) {
        const object = anyObject(deployment, chance);
        deployment.fault("crash");
        deployment.fault("read failed");
        object.crash(chance.below(object.process.world.pendingTurns + 1));
        object.process.world.faultReads(chance.below(8), chance.pick(["failing", "dying"]));
      },
    },
    /** Whatever the next alarm is to write, the disk refuses once or twice. */
    "refuse the next alarm": {
      weight: 2,
      go(deployment, chance) {
        const object = anyObject(deployment, chance);
        const { world, skewMs } = object.process;
        const at = world.durableAlarmAt;
        if (at === null) return;
        if (chance.below(2) && isQuiet(object.process)) fallAsleep(deployment, object.process);
        const count = 1 + chance.below(2);
        const how = chance.pick(["rejecting", "throwing", "throwing"] as const);
        deployment.clock.at(at - skewMs - 1, () => {
          if (!deployment.faults || object.process.world !== world) return;
          deployment.fault("write failed");
          world.failWrites(count, how);
        });
      },
    },
    "ring again": {
      weight: 3,
      go(deployment, chance) {
        deployment.fault("alarm doubled");
        return anyObject(deployment, chance).ring(true);
      },
    },
    "set a clock": {
      weight: 2,
      go(deployment, chance) {
        deployment.fault("clock set");
        anyObject(deployment, chance).process.skewMs = skew(deployment, chance);
      },
    },
    /** Far, either way, and right again after a while. */
    "step a clock": {
      weight: 6,
      go(deployment, chance) {
        const { stepMs = 0 } = deployment.plan;
        if (stepMs === 0) return;
        deployment.fault("clock stepped");
        const object = anyObject(deployment, chance);
        object.setClock(chance.pick([stepMs, -stepMs, chance.below(stepMs), -chance.below(stepMs)]));
        const right = () => deployment.faults && object.setClock(skew(deployment, chance));
        deployment.clock.in(chance.below(chance.pick([500, 5_000, 60_000])), () => void right());
      },
    },
  },

  turned(deployment, object) {
    const { process } = object;
    const { world } = process;
    if (world.hasTrouble || process.room === undefined || !world.has("room")) return;
    const { alarmAt } = world;
    // By the clock as it last had reason to read it: a machine's may be set while nobody says anything.
    const { clock } = process.room["parts"];
    const now = clock.now - clock.ahead;
    if (alarmAt === null) deployment.breach(6, `${object.name} stores something and has no alarm`);
    else if (alarmAt > now + deployment.plan.settings.idleMs + 1) {
      deployment.breach(6, `the alarm of ${object.name} is ${alarmAt - now} ms ahead`);
    }
  },

  /** Whatever became of the alarm, there is another: also where its room failed in it. */
  rang(deployment, { process, name }) {
    const { world } = process;
    if (world.has("room") && world.alarmAt === null && !world.hasTrouble && !world.isSuperseded)
      deployment.breach(6, `${name} stores something, and its alarm was the last`);
  },

  stored(deployment, { process, truth, name }) {
    // Where the disk could not be read nobody knows whether something is there: one alarm more is to find that out.
    if (process.couldNotRead) return;
    const isGone = process.room?.isOver && truth.keys.size === 0 && !process.world.hasTrouble;
    if (isGone && process.world.durableAlarmAt !== null)
      deployment.breach(15, `${name} is gone and has an alarm`);
  },

  settled(deployment) {
    for (const { process, name } of deployment.objects) {
      const { ahead = 0 } = process.room?.["parts"].clock ?? {};
      // From two days nobody catches up in a story.
      if (ahead > 0 && (deployment.plan.stepMs ?? 0) <= 90_000)
        deployment.breach(24, `${name} is ${ahead} ms ahead of its machine's clock`);
      if (process.hasTimers) deployment.breach(6, `${name} is quiet, and has a timer that keeps it awake`);
    }
  },

  ended(deployment) {
    for (const { process, truth, name } of deployment.objects) {
      const kept = process.world.keys();
      if (kept.length > 0) deployment.breach(15, `${name} keeps ${kept.slice(0, 5)}`);
      if (truth.keys.size > 0)
        deployment.breach(15, `the disk of ${name} keeps ${[...truth.keys].slice(0, 5)}`);
      if (process.world.alarmAt !== null) deployment.breach(15, `${name} is gone and has an alarm`);
    }
  },
};

function isQuiet(process: Process): boolean {
  return process.maySleep && process.deployment.clock.now - process.heardAt >= QUIET_MS;
}

function fallAsleep(deployment: Deployment, process: Process): void {
  deployment.fault("hibernation");
  process.sleep();
}

function anyObject(deployment: Deployment, chance: Random) {
  return chance.pick(deployment.objects);
}

function anySkew(deployment: Deployment, chance: Random): number {
  const { process } = chance.pick(deployment.objects);
  return chance.below(3) === 0 ? skew(deployment, chance) : process.skewMs;
}

function skew({ plan }: Deployment, chance: Random): number {
  return chance.below(2 * plan.skewMs + 1) - plan.skewMs;
}
