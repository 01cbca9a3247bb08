import { chat } from "../../src/features/chat/decide";
import { moderation } from "../../src/features/moderation/decide";
import { presence } from "../../src/features/presence/decide";
import { scores } from "../../src/features/scores/decide";
import { defineKind, type Kind } from "../../src/room/kind";
import { type Random, randomFrom } from "../platforms/random";
import { debtFeature } from "../support/errand-feature";
import { labFeature } from "../support/room-features";
import { Breach, type Invariant } from "./breach";
import type { Part } from "./part";
import type { Plan } from "./plan";
import { RoomObject } from "./room-object";
import { Tab } from "./tab";
import { VirtualClock } from "./virtual-clock";

/** The two releases of a room's code that a deployment moves between. Each takes over what the other stored. */
const releases: readonly [Kind, Kind] = [release("1"), release("2")];

function release(version: string): Kind {
  return defineKind({
    name: "main",
    boards: { main: { combine: "sum" } },
    features: [presence, chat, moderation, scores, labFeature({ version }), debtFeature()],
  });
}

/** A whole deployment in one process: rooms, people at their tabs, and what goes wrong between them. */
export class Deployment {
  readonly clock = new VirtualClock();
  readonly objects: readonly RoomObject[];
  readonly tabs: Tab[] = [];
  readonly counts = { alarms: 0, messages: 0, byes: 0, records: 0, errands: 0, faults: 0 };
  /** While these are on, things go wrong. */
  faults = true;
  failure: Breach | undefined;
  /** Of the step that is being made: what it draws is its own, whatever was left out before it. */
  chance: Random;
  #ids = 0;

  constructor(
    readonly plan: Plan,
    readonly parts: readonly Part[],
    private readonly tell: ((line: string) => void) | undefined,
  ) {
    this.chance = randomFrom(plan.seed);
    this.objects = Array.from(
      { length: plan.rooms },
      (_, at) => new RoomObject(this, `room${at}`, releases[0]),
    );
  }

  get kinds(): readonly [Kind, Kind] {
    return releases;
  }

  get isOver(): boolean {
    return this.failure !== undefined;
  }

  trace(line: () => string): void {
    this.tell?.(`${((this.clock.now - 1_790_000_000_000) / 1000).toFixed(3).padStart(10)} ${line()}`);
  }

  breach(invariant: Invariant, what: string): void {
    this.failed(new Breach(invariant, what));
  }

  failed(error: unknown): void {
    if (this.failure) return;
    this.failure =
      error instanceof Breach
        ? error
        : new Breach(13, `in the simulator: ${error instanceof Error ? error.stack : error}`);
    this.trace(() => `! ${this.failure?.message}`);
  }

  freshId(): string {
    return `${(++this.#ids).toString(36)}-${this.chance.below(2 ** 31).toString(36)}`;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.pass(ms, () => this.isOver);
  }

  netMs(): number {
    const { plan, chance, faults } = this;
    if (plan.netMs === 0 || !faults) return 1;
    return chance.below(plan.netMs + 1) * (chance.below(30) === 0 ? 3 : 1);
  }

  diskMs(): number {
    const { plan, chance, faults } = this;
    if (plan.diskMs === 0 || !faults) return 0;
    return chance.below(plan.diskMs + 1) * (chance.below(50) === 0 ? 10 : 1);
  }

  /** Somebody of the few that there are; `undefined` where nobody is as wanted. */
  anyTab(chance: Random, which: (tab: Tab) => boolean = () => true): Tab | undefined {
    const those = this.tabs.filter(which);
    return those.length === 0 ? undefined : chance.pick(those);
  }

  newTab(object: RoomObject, user: string, tab: string, role: Tab["role"]): Tab {
    const made = new Tab(this, object, user, tab, role, object.process.kind);
    this.tabs.push(made);
    return made;
  }
}
