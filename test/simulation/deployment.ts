import type { Kind } from "../../src/room/api/kind";
import { type Random, randomFrom } from "../platforms/random";
import type { Client } from "./client";
import { Breach, type Invariant } from "./invariants";
import { releases } from "./kinds";
import { Page } from "./page";
import type { Plan } from "./plan";
import { RoomObject } from "./room-object";
import { SimulatedServices } from "./simulated-services";
import type { SimulationModule } from "./simulation-module";
import { Tab } from "./tab";
import { START, VirtualClock } from "./virtual-clock";

/** A whole deployment in one process: rooms, users at their tabs, and faults between them. */
export class Deployment {
  readonly clock = new VirtualClock();
  readonly objects: readonly RoomObject[];
  readonly clients: Client[] = [];
  readonly counts = { joins: 0, messages: 0, records: 0, alarms: 0, effects: 0, byes: 0 };
  /** Faults by sort. */
  readonly faultCounts: Record<string, number> = {};
  /** Delays of the next handshakes, as by a proxy that has stalled. */
  readonly heldBackMs: number[] = [];
  /** The fate of these users' next second socket: it reaches the room when the client has given it up. */
  readonly secondSocketFaults = new Map<string, "breaks unheard" | "comes late">();
  /** Until then every service call is repeated late. */
  repeatsCallsUntil = 0;
  readonly services = new SimulatedServices(this);
  /** Whether faults are injected. */
  injectsFaults = true;
  firstBreach: Breach | undefined;
  /** The random source of the current step: its draws do not depend on the steps before it. */
  random: Random;
  #ids = 0;

  constructor(
    readonly plan: Plan,
    readonly parts: readonly SimulationModule[],
    private readonly printLine: ((line: string) => void) | undefined,
  ) {
    this.random = randomFrom(plan.seed);
    this.objects = Array.from(
      { length: plan.rooms },
      (_, at) => new RoomObject(this, `room${at}`, releases[0]),
    );
  }

  get releases(): readonly [Kind, Kind] {
    return releases;
  }

  /** Where clocks are wrong by days, tokens are good for longer. */
  get tokenMs(): number {
    return 3_600_000 + 15 * (this.plan.stepMs ?? 0);
  }

  get isOver(): boolean {
    return this.firstBreach !== undefined;
  }

  trace(line: () => string): void {
    this.printLine?.(`${((this.clock.now - START) / 1000).toFixed(3).padStart(10)} ${line()}`);
  }

  reportBreach(invariant: Invariant, what: string): void {
    this.reportError(new Breach(invariant, what));
  }

  reportError(error: unknown): void {
    if (this.firstBreach) return;
    this.firstBreach =
      error instanceof Breach
        ? error
        : new Breach(13, `in the simulator: ${error instanceof Error ? error.stack : error}`);
    this.trace(() => `! ${this.firstBreach?.message}`);
  }

  countFault(sort: string): void {
    this.faultCounts[sort] = (this.faultCounts[sort] ?? 0) + 1;
  }

  freshId(): string {
    return `${(++this.#ids).toString(36)}-${this.random.below(2 ** 31).toString(36)}`;
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms, () => this.isOver);
  }

  drawNetMs(): number {
    const { plan, random, injectsFaults: faults } = this;
    if (plan.netMs === 0 || !faults) return 1;
    const ms = random.below(plan.netMs + 1);
    if (random.below(30) > 0) return ms;
    this.countFault("message late");
    return 3 * ms;
  }

  drawDiskMs(): number {
    const { plan, random, injectsFaults: faults } = this;
    if (plan.diskMs === 0 || !faults) return 0;
    const ms = random.below(plan.diskMs + 1);
    if (random.below(50) > 0) return ms;
    this.countFault("write late");
    return 10 * ms;
  }

  /** One of the clients that match; `undefined` if none does. */
  pickClient(random: Random, which: (client: Client) => boolean = () => true): Client | undefined {
    const those = this.clients.filter(which);
    return those.length === 0 ? undefined : random.pick(those);
  }

  /** One that may send any text. */
  pickTab(random: Random, which: (tab: Tab) => boolean = () => true): Tab | undefined {
    const those = this.clients.filter((client): client is Tab => client instanceof Tab && which(client));
    return those.length === 0 ? undefined : random.pick(those);
  }

  pickPage(random: Random): Page | undefined {
    const those = this.clients.filter((client) => client instanceof Page);
    return those.length === 0 ? undefined : random.pick(those);
  }

  /** With the code that is served now; the room's may be another. */
  newClient(object: RoomObject, user: string, tab: string, role: Client["role"], random: Random): Client {
    const { plan } = this;
    const { kind } = object.process;
    const skewMs = random.below(1_000_000) - 500_000;
    const made =
      random.next() < plan.pages
        ? new Page(this, object, user, tab, role, kind, skewMs)
        : new Tab(this, object, user, tab, role, kind);
    if (made instanceof Tab) made.isOld = random.below(3) === 0;
    this.clients.push(made);
    return made;
  }
}
