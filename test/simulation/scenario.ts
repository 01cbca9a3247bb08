import { randomFrom } from "../platforms/random";
import type { Call, Row, SimulatedDatabase } from "./database";
import { Deployment } from "./deployment";
import type { Breach } from "./invariants";
import { modules } from "./modules/all";
import { effects } from "./modules/effects";
import { drawPlan, type Plan } from "./plan";
import { setLimits } from "./settable-limits";
import type { Move } from "./simulation-module";

export interface Step {
  move: string;
  /** The seed of its draws, so that they are the same when earlier steps are left out. */
  chance: number;
  /** Time that passes before it. */
  waitMs: number;
}
export interface Scenario {
  plan: Plan;
  steps: readonly Step[];
}
export interface ScenarioOutcome {
  breach: Breach | undefined;
  /** The step at which it happened. */
  at: number;
  simulatedMs: number;
  counts: Deployment["counts"];
  /** Faults by sort. */
  faultCounts: Deployment["faultCounts"];
}

const moves = new Map<string, Move>(
  modules.flatMap(({ name, moves: of }) =>
    Object.entries(of).map(([move, made]): [string, Move] => [`${name}: ${move}`, made]),
  ),
);

/** A whole scenario follows from its seed. */
export function generateScenario(seed: number, count: number): Scenario {
  const plan = drawPlan(seed, [...moves.keys()]);
  const random = randomFrom(seed ^ 0x5eed5eed);
  let total = 0;
  const weighed = [...moves].map(([name, { weight }]) => {
    const own = weight * (plan.weights[name] ?? 1);
    total += own;
    return [name, own, total] as const;
  });
  const steps = Array.from({ length: count }, () => {
    const drawn = random.next() * total;
    const [move] = weighed.find(([, , upTo]) => drawn < upTo) ?? ["nothing"];
    const longest = random.pick([2, 2, 2, 20, 20, 100, 500, 500, 5_000, 20_000, 130_000]);
    return { move, chance: random.below(2 ** 31), waitMs: random.below(longest) };
  });
  return { plan, steps };
}

/** Observes the database of a scenario. */
interface DatabaseObserver {
  onBegin(database: SimulatedDatabase): void;
  onEnd(database: SimulatedDatabase): void;
}

/** Every call that a scenario makes to its database, and what it leaves there. */
export async function recordCalls(
  scenario: Scenario,
): Promise<{ calls: Call[]; tables: Record<string, Row[]> }> {
  const calls: Call[] = [];
  const tables: Record<string, Row[]> = {};
  await playScenario(scenario, undefined, {
    onBegin: (database) => {
      database.calls = calls;
    },
    onEnd: (database) => {
      for (const [table, sql] of Object.entries(TABLES)) tables[table] = database.rows(sql);
    },
  });
  return { calls, tables };
}

/** All of it, in an order of its own. */
export const TABLES = {
  rankings: "select * from rankings order by id",
  scores: "select * from scores order by ranking, user",
  spans: "select * from spans order by ranking, score, tie, reached_at, reached_seq, user",
  receipts: "select * from receipts order by room, epoch",
  players: "select * from players order by user",
  bans: "select * from bans order by scope, user",
  set_aside: "select * from set_aside order by id",
} as const;

/** Plays a scenario to its end: its steps, then time without faults to settle, then time for all users to leave. */
export async function playScenario(
  { plan, steps }: Scenario,
  tell?: (line: string) => void,
  watch?: DatabaseObserver,
): Promise<ScenarioOutcome> {
  setLimits(plan.limits);
  const deployment = new Deployment(plan, modules, tell);
  watch?.onBegin(deployment.services.database);
  const from = deployment.clock.now;
  let at = 0;
  try {
    for (; at < steps.length && !deployment.isOver; at++) {
      const step = steps[at] as Step;
      deployment.random = randomFrom(step.chance);
      await deployment.advance(step.waitMs);
      if (deployment.isOver) break;
      deployment.trace(() => `#${at} ${step.move}`);
      await moves.get(step.move)?.run(deployment, deployment.random);
    }
    if (!deployment.isOver) await settleAndCheck(deployment);
  } catch (error) {
    deployment.reportError(error);
  }
  const { firstBreach: failure, clock, counts, faultCounts, services } = deployment;
  watch?.onEnd(services.database);
  services.database.close();
  return { breach: failure, at, simulatedMs: clock.now - from, counts, faultCounts };
}

async function settleAndCheck(deployment: Deployment): Promise<void> {
  deployment.trace(() => "faults stop");
  deployment.injectsFaults = false;
  deployment.random = randomFrom(1);
  for (const object of deployment.objects) {
    for (const old of [...object.superseded]) object.end(old);
    if (object.process.runtime.isDying) object.crash(0);
    object.process.runtime.dieAfter(Number.POSITIVE_INFINITY);
    object.process.runtime.failWrites(0);
    object.process.runtime.faultReads(Number.POSITIVE_INFINITY, "failing");
  }
  const { stepMs = 0 } = deployment.plan;
  if (stepMs > 0) for (const object of deployment.objects) object.setClock(0);
  // A room that is ahead does everything at half speed.
  const slow = stepMs > 0 ? 2 : 1;
  deployment.heldBackMs.length = 0;
  for (const client of deployment.clients) client.stopFaults();
  const { idleMs } = deployment.plan.settings;
  // A room that crashed unseen finds out who is gone at its next alarm; a socket that was cut silently takes minutes.
  for (let left = slow * (idleMs + 220_000); left > 0 && !deployment.isOver; left -= 60_000)
    await deployment.advance(60_000);
  // A room's pending effects explain much of what the other modules would find.
  const inOrder = [effects, ...modules.filter((module) => module !== effects)];
  for (const module of inOrder) if (!deployment.isOver) await module.checkSettled?.(deployment);
  if (deployment.isOver) return;
  deployment.trace(() => "everybody leaves");
  for (const client of deployment.clients) client.leave();
  for (let times = 0; times < 4 * slow && !deployment.isOver; times++) await deployment.advance(idleMs);
  // An alarm that was set while the clock was ahead rings when the right clock comes to that time, if nobody comes before.
  for (const ms of stepMs > 0 ? [stepMs, idleMs, idleMs] : [])
    if (!deployment.isOver) await deployment.advance(ms);
  for (const module of modules) if (!deployment.isOver) await module.checkEnded?.(deployment);
}
