import type { Random } from "../random";
import { pause } from "../waiting";
import { afterCommit, type Blow, blowsOf, fullDisk } from "./blows";
import type { Deployment } from "./deployment";

/** A blow between D1's commit and the room's hearing of it is not left to luck; but others may fall together with it. */
const TRIES = 5;
/** In a run for a given time, so many awards at most between two blows: they fall amid work. No longer is waited for them. */
const AWARDS_BETWEEN = 120;
const BETWEEN_MS = 15_000;
/** A room that was killed asks again within a second of being touched. */
const TOLD_MS = 8_000;

export interface StormPlan {
  awards: number;
  blows: number;
  minutes?: number;
}

/** Blows at random moments: each sort once before any comes again. */
export class Storm {
  readonly counts = new Map<string, number>();
  isOver = false;
  #bag: Blow[] = [];

  constructor(
    private readonly on: Deployment,
    private readonly random: Random,
    private readonly plan: StormPlan,
    /** Awards acknowledged so far. */
    private readonly awards: () => number,
  ) {}

  get blows(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  async rage(): Promise<void> {
    const { blows, minutes } = this.plan;
    const endAt = minutes === undefined ? undefined : Date.now() + minutes * 60_000;
    const isEnough = () => (endAt === undefined ? this.blows >= blows : Date.now() >= endAt);
    while (!isEnough()) {
      await this.#calm();
      await this.#strike(this.#next());
    }
    for (let tries = 0; this.on.lostAnswers === 0 && tries < TRIES; tries++) {
      await this.#strike(afterCommit[this.on.platform]);
      const toldBy = Date.now() + TOLD_MS;
      while (this.on.lostAnswers === 0 && Date.now() < toldBy) await pause(100);
    }
    this.isOver = true;
  }

  async #calm(): Promise<void> {
    const { awards, blows, minutes } = this.plan;
    // All through the awards, on the average.
    const most = minutes === undefined ? Math.ceil((2 * awards) / blows) : AWARDS_BETWEEN;
    const [until, by] = [this.awards() + this.random.below(most), Date.now() + BETWEEN_MS];
    await pause(100 + this.random.below(900));
    while (this.awards() < until && Date.now() < by) await pause(10);
  }

  async #strike(blow: Blow): Promise<void> {
    if (await blow.fall(this.on, this.random)) {
      this.counts.set(blow.name, (this.counts.get(blow.name) ?? 0) + 1);
    }
  }

  #next(): Blow {
    if (this.#bag.length === 0) {
      const all = [...blowsOf[this.on.platform], ...(typeof this.on.disk === "string" ? [] : [fullDisk])];
      for (let left = all.length; left > 0; left--) this.#bag.push(...all.splice(this.random.below(left), 1));
    }
    const next = this.#bag.pop();
    if (!next) throw new Error("There are no blows.");
    return next;
  }
}
