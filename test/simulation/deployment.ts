import type { Kind } from "../../src/room/kind";
import { type Random, randomFrom } from "../platforms/random";
import { Breach, type Invariant } from "./breach";
import type { Client } from "./client";
import { releases } from "./kinds";
import { Outside } from "./outside";
import { Page } from "./page";
import type { Part } from "./part";
import type { Plan } from "./plan";
import { RoomObject } from "./room-object";
import { Tab } from "./tab";
import { START, VirtualClock } from "./virtual-clock";

/** A whole deployment in one process: rooms, people at their tabs, and what goes wrong between them. */
export class Deployment {
  readonly clock = new VirtualClock();
  readonly objects: readonly RoomObject[];
  readonly clients: Client[] = [];
  readonly counts = { joins: 0, messages: 0, records: 0, alarms: 0, errands: 0, byes: 0 };
  /** What went wrong, by its sort. */
  readonly went: Record<string, number> = {};
  /** So long are the next handshakes kept back on their way, as by a proxy that has stalled. */
  readonly heldBackMs: number[] = [];
  /** What becomes of these users' next socket beside another: the room hears of it when it has been given up. */
  readonly seconds = new Map<string, "breaks unheard" | "comes late">();
  /** Until then every call of the outside is made once more, late. */
  callsAgainUntil = 0;
  readonly outside = new Outside(this);
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

  /** Where clocks are wrong by days, tokens are good for longer. */
  get tokenMs(): number {
    return 3_600_000 + 15 * (this.plan.stepMs ?? 0);
  }

  get isOver(): boolean {
    return this.failure !== undefined;
  }

  trace(line: () => string): void {
    this.tell?.(`${((this.clock.now - START) / 1000).toFixed(3).padStart(10)} ${line()}`);
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

  fault(sort: string): void {
    this.went[sort] = (this.went[sort] ?? 0) + 1;
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
    const ms = chance.below(plan.netMs + 1);
    if (chance.below(30) > 0) return ms;
    this.fault("message late");
    return 3 * ms;
  }

  diskMs(): number {
    const { plan, chance, faults } = this;
    if (plan.diskMs === 0 || !faults) return 0;
    const ms = chance.below(plan.diskMs + 1);
    if (chance.below(50) > 0) return ms;
    this.fault("write late");
    return 10 * ms;
  }

  /** Somebody of the few that there are; `undefined` where nobody is as wanted. */
  anyone(chance: Random, which: (client: Client) => boolean = () => true): Client | undefined {
    const those = this.clients.filter(which);
    return those.length === 0 ? undefined : chance.pick(those);
  }

  /** One that may say any text. */
  anyTab(chance: Random, which: (tab: Tab) => boolean = () => true): Tab | undefined {
    const those = this.clients.filter((client): client is Tab => client instanceof Tab && which(client));
    return those.length === 0 ? undefined : chance.pick(those);
  }

  anyPage(chance: Random): Page | undefined {
    const those = this.clients.filter((client) => client instanceof Page);
    return those.length === 0 ? undefined : chance.pick(those);
  }

  /** With the code that is served by now: the room's may be another. */
  newClient(object: RoomObject, user: string, tab: string, role: Client["role"], chance: Random): Client {
    const { plan } = this;
    const { kind } = object.process;
    const skewMs = chance.below(1_000_000) - 500_000;
    const made =
      chance.next() < plan.pages
        ? new Page(this, object, user, tab, role, kind, skewMs)
        : new Tab(this, object, user, tab, role, kind);
    if (made instanceof Tab) made.isOld = chance.below(3) === 0;
    this.clients.push(made);
    return made;
  }
}
