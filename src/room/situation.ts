import type { Boards } from "./board";
import type { AnyFeature, Asked, Situation, Speaker } from "./feature";
import type { Kernel } from "./kernel";
import type { Member } from "./members";

/**
 * What a decision may look at, looked up when it is: every action makes several of these, and most want two or three
 * things of it.
 */
export class LiveSituation implements Situation<unknown, unknown> {
  constructor(
    protected readonly kernel: Kernel,
    protected readonly feature: AnyFeature,
  ) {}

  get at(): number {
    return this.kernel.now;
  }
  get wallAt(): number {
    return this.kernel.machineNow;
  }
  get room(): { kind: string; id: string } {
    return this.kernel.parts.name;
  }
  get state(): unknown {
    return this.kernel.memory.slices.shared(this.feature.name);
  }
  get private(): unknown {
    return this.kernel.memory.slices.private(this.feature.name);
  }
  get members(): ReadonlyMap<string, Member> {
    return this.kernel.memory.members.all;
  }
  get seq(): number {
    return this.kernel.memory.seq;
  }
  get epoch(): string {
    return this.kernel.memory.epoch;
  }
  get isGuests(): boolean {
    return this.kernel.memory.isGuests;
  }
  get boards(): Boards {
    return this.kernel.parts.kind.boards ?? noBoards;
  }
  get flushMs(): number {
    return this.kernel.parts.settings.flushMs;
  }
  // Functions that are taken out of it and called by themselves.
  get timer(): (name: string) => number | undefined {
    return (name) => this.kernel.memory.timers.get(`${this.feature.name}/${name}`);
  }
  get chance(): () => number {
    return this.kernel.parts.world.chance;
  }
  get freshId(): () => string {
    return this.kernel.parts.world.freshId;
  }
  get clean(): (text: string) => string | undefined {
    return this.kernel.clean;
  }
}

export class LiveAsked extends LiveSituation implements Asked<unknown, unknown> {
  constructor(
    kernel: Kernel,
    feature: AnyFeature,
    readonly by: Speaker,
  ) {
    super(kernel, feature);
  }
}

const noBoards: Boards = {};
