import { randomFrom } from "../platforms/random";
import type { Breach } from "./breach";
import type { Call, Row, SimulatedDatabase } from "./database";
import { Deployment } from "./deployment";
import type { Move } from "./part";
import { parts } from "./parts/all";
import { errands } from "./parts/errands";
import { type Plan, planOf } from "./plan";
import { setLimits } from "./settable-limits";

export interface Step {
  move: string;
  /** What it draws comes from this alone, so that it is the same whatever is left out before it. */
  chance: number;
  /** Time that passes before it. */
  waitMs: number;
}
export interface Story {
  plan: Plan;
  steps: readonly Step[];
}
export interface Outcome {
  breach: Breach | undefined;
  /** The step at which it happened. */
  at: number;
  simulatedMs: number;
  counts: Deployment["counts"];
  /** What went wrong, by its sort. */
  went: Deployment["went"];
}

const moves = new Map<string, Move>(
  parts.flatMap(({ name, moves: of }) =>
    Object.entries(of).map(([move, made]): [string, Move] => [`${name}: ${move}`, made]),
  ),
);

/** A whole story follows from its seed. */
export function storyOf(seed: number, count: number): Story {
  const plan = planOf(seed, [...moves.keys()]);
  const chance = randomFrom(seed ^ 0x5eed5eed);
  let total = 0;
  const weighed = [...moves].map(([name, { weight }]) => {
    const own = weight * (plan.weights[name] ?? 1);
    total += own;
    return [name, own, total] as const;
  });
  const steps = Array.from({ length: count }, () => {
    const drawn = chance.next() * total;
    const [move] = weighed.find(([, , upTo]) => drawn < upTo) ?? ["nothing"];
    const longest = chance.pick([2, 2, 2, 20, 20, 100, 500, 500, 5_000, 20_000, 130_000]);
    return { move, chance: chance.below(2 ** 31), waitMs: chance.below(longest) };
  });
  return { plan, steps };
}

/** Somebody looks at the database of a story. */
interface DatabaseWatch {
  begins(database: SimulatedDatabase): void;
  ends(database: SimulatedDatabase): void;
}

/** Every call that a story makes of its database, and what it leaves there. */
export async function callsOf(story: Story): Promise<{ calls: Call[]; tables: Record<string, Row[]> }> {
  const calls: Call[] = [];
  const tables: Record<string, Row[]> = {};
  await play(story, undefined, {
    begins: (database) => {
      database.calls = calls;
    },
    ends: (database) => {
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

/** Plays a story to its end: its steps, then time without faults for everything to settle, then time for everybody to be gone. */
export async function play(
  { plan, steps }: Story,
  tell?: (line: string) => void,
  watch?: DatabaseWatch,
): Promise<Outcome> {
  setLimits(plan.limits);
  const deployment = new Deployment(plan, parts, tell);
  watch?.begins(deployment.outside.database);
  const from = deployment.clock.now;
  let at = 0;
  try {
    for (; at < steps.length && !deployment.isOver; at++) {
      const step = steps[at] as Step;
      deployment.chance = randomFrom(step.chance);
      await deployment.pass(step.waitMs);
      if (deployment.isOver) break;
      deployment.trace(() => `#${at} ${step.move}`);
      await moves.get(step.move)?.go(deployment, deployment.chance);
    }
    if (!deployment.isOver) await settle(deployment);
  } catch (error) {
    deployment.failed(error);
  }
  const { failure, clock, counts, went, outside } = deployment;
  watch?.ends(outside.database);
  outside.database.close();
  return { breach: failure, at, simulatedMs: clock.now - from, counts, went };
}

async function settle(deployment: Deployment): Promise<void> {
  deployment.trace(() => "faults stop");
  deployment.faults = false;
  deployment.chance = randomFrom(1);
  for (const object of deployment.objects) {
    for (const old of [...object.superseded]) object.end(old);
    if (object.process.world.isDying) object.crash(0);
    object.process.world.dieAfter(Number.POSITIVE_INFINITY);
    object.process.world.failWrites(0);
    object.process.world.faultReads(Number.POSITIVE_INFINITY, "failing");
  }
  const { stepMs = 0 } = deployment.plan;
  if (stepMs > 0) for (const object of deployment.objects) object.setClock(0);
  // A room that is ahead does everything at half speed.
  const slow = stepMs > 0 ? 2 : 1;
  deployment.heldBackMs.length = 0;
  for (const client of deployment.clients) client.calm();
  const { idleMs } = deployment.plan.settings;
  // A room that crashed unseen finds out who is gone at its next alarm; a socket that was cut without a word takes minutes.
  for (let left = slow * (idleMs + 220_000); left > 0 && !deployment.isOver; left -= 60_000)
    await deployment.pass(60_000);
  // What a room still owes explains much of what the others would find.
  const inOrder = [errands, ...parts.filter((part) => part !== errands)];
  for (const part of inOrder) if (!deployment.isOver) await part.settled?.(deployment);
  if (deployment.isOver) return;
  deployment.trace(() => "everybody leaves");
  for (const client of deployment.clients) client.leave();
  for (let times = 0; times < 4 * slow && !deployment.isOver; times++) await deployment.pass(idleMs);
  for (const part of parts) if (!deployment.isOver) await part.ended?.(deployment);
}
