import type { Random } from "../random";
import { pause } from "../waiting";
import type { ChaosDeployment } from "./chaos-deployment";
import { type Fault, faultAfterCommit, faultsByPlatform, fullDisk } from "./faults";

/** The run retries a fault between D1's commit and its answer until one has hit; other faults may coincide with it. */
const MAX_TRIES = 5;
/** In a run for a given time, so many awards at most between two faults, so that they hit amid work. */
const AWARDS_BETWEEN = 120;
const BETWEEN_MS = 15_000;
/** A room that was killed sends its batch again within a second of waking. */
const RESEND_WAIT_MS = 8_000;

export interface SchedulePlan {
  awards: number;
  faults: number;
  minutes?: number;
}

/** Faults at random moments: each sort once before any comes again. */
export class FaultSchedule {
  readonly counts = new Map<string, number>();
  isOver = false;
  #remaining: Fault[] = [];

  constructor(
    private readonly deployment: ChaosDeployment,
    private readonly random: Random,
    private readonly plan: SchedulePlan,
    /** Awards acknowledged so far. */
    private readonly awards: () => number,
  ) {}

  get faultCount(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  async run(): Promise<void> {
    const { faults, minutes } = this.plan;
    const endAt = minutes === undefined ? undefined : Date.now() + minutes * 60_000;
    const isEnough = () => (endAt === undefined ? this.faultCount >= faults : Date.now() >= endAt);
    while (!isEnough()) {
      await this.#waitForWork();
      await this.#inject(this.#takeFault());
    }
    for (let tries = 0; this.deployment.lostResponses === 0 && tries < MAX_TRIES; tries++) {
      await this.#inject(faultAfterCommit[this.deployment.platform]);
      const retriedBy = Date.now() + RESEND_WAIT_MS;
      while (this.deployment.lostResponses === 0 && Date.now() < retriedBy) await pause(100);
    }
    this.isOver = true;
  }

  async #waitForWork(): Promise<void> {
    const { awards, faults, minutes } = this.plan;
    // Spread over all awards, on average.
    const most = minutes === undefined ? Math.ceil((2 * awards) / faults) : AWARDS_BETWEEN;
    const [until, by] = [this.awards() + this.random.below(most), Date.now() + BETWEEN_MS];
    await pause(100 + this.random.below(900));
    while (this.awards() < until && Date.now() < by) await pause(10);
  }

  async #inject(fault: Fault): Promise<void> {
    if (await fault.inject(this.deployment, this.random)) {
      this.counts.set(fault.name, (this.counts.get(fault.name) ?? 0) + 1);
    }
  }

  #takeFault(): Fault {
    if (this.#remaining.length === 0) {
      const all = [
        ...faultsByPlatform[this.deployment.platform],
        ...(typeof this.deployment.disk === "string" ? [] : [fullDisk]),
      ];
      for (let left = all.length; left > 0; left--)
        this.#remaining.push(...all.splice(this.random.below(left), 1));
    }
    const next = this.#remaining.pop();
    if (!next) throw new Error("There are no faults.");
    return next;
  }
}
