import type { Boards } from "../api/board";
import type { ActionContext, Actor, AnyFeature, FeatureContext } from "../api/feature";
import type { Member } from "../state/members";
import type { Committer } from "./committer";

/**
 * What a decision may look at, looked up when it is: every action makes several of these, and most want two or three
 * things of it.
 */
export class LiveFeatureContext implements FeatureContext<unknown, unknown> {
  constructor(
    protected readonly kernel: Committer,
    protected readonly feature: AnyFeature,
  ) {}

  get at(): number {
    return this.kernel.now;
  }
  get wallAt(): number {
    return this.kernel.machineNow;
  }
  get room(): { kind: string; id: string } {
    return this.kernel.context.name;
  }
  get state(): unknown {
    return this.kernel.state.slices.shared(this.feature.name);
  }
  get private(): unknown {
    return this.kernel.state.slices.private(this.feature.name);
  }
  get members(): ReadonlyMap<string, Member> {
    return this.kernel.state.members.all;
  }
  get seq(): number {
    return this.kernel.state.seq;
  }
  get epoch(): string {
    return this.kernel.state.epoch;
  }
  get openedByGuest(): boolean {
    return this.kernel.state.openedByGuest;
  }
  get boards(): Boards {
    return this.kernel.context.kind.boards ?? noBoards;
  }
  get flushMs(): number {
    return this.kernel.context.settings.flushMs;
  }
  // Functions that are taken out of it and called by themselves.
  get timer(): (name: string) => number | undefined {
    return (name) => this.kernel.state.timers.get(`${this.feature.name}/${name}`);
  }
  get random(): () => number {
    return this.kernel.context.host.random;
  }
  get freshId(): () => string {
    return this.kernel.context.host.freshId;
  }
  get filterText(): (text: string) => string | undefined {
    return this.kernel.filterText;
  }
}

export class LiveActionContext extends LiveFeatureContext implements ActionContext<unknown, unknown> {
  constructor(
    kernel: Committer,
    feature: AnyFeature,
    readonly by: Actor,
  ) {
    super(kernel, feature);
  }
}

const noBoards: Boards = {};
