import { Session, type SessionOptions } from "../../src/client/session";
import type { Verdict } from "../../src/client/session/checks";
import type { Outcome } from "../../src/client/session/outcome";
import type { AnyFeatureState } from "../../src/client/session/slices";
import type { NumberedEvent, WireSignal } from "../../src/protocol/messages";
import type { AnyFeature } from "../../src/room/feature";
import type { Kind } from "../../src/room/kind";
import type { Joining, RoomStage } from "./room-stage";
import { RoomTab } from "./room-tab";

/** One socket between a session and a room in memory, with both directions in the test's hand. */
interface Cable {
  tab: RoomTab;
  read: number;
  /** Nothing passes any more, and neither side has been told. */
  isDead: boolean;
}

/** What a client is given of a feature on the server's side of the house. */
export function statesOf(kind: Kind): Record<string, AnyFeatureState> {
  return Object.fromEntries(
    kind.features.map(({ name, version, shared }: AnyFeature) => [
      name,
      { version, initial: shared.initial, reduce: shared.reduce },
    ]),
  );
}

/** A session with the real room on the other end. What either says travels when the story pumps. */
export class Visitor {
  readonly session: Session;
  readonly events: NumberedEvent[] = [];
  /** The life of the room that each of them belongs to. */
  readonly epochs: (string | undefined)[] = [];
  readonly signals: WireSignal[] = [];
  readonly outcomes = new Map<string, Outcome[]>();
  readonly verdicts: Verdict[] = [];
  readonly problems: string[] = [];
  /** Every message that left, with the socket it left by. */
  readonly said: { link: number; text: string; at: number }[] = [];
  readonly opened: { link: number; anew: boolean; resumes: boolean; at: number }[] = [];
  /** How its connection stood, message by message. */
  readonly stood: string[] = [];
  fresh = 0;
  /** The server cannot be reached. */
  isOffline = false;
  /** How the room sees who comes. */
  joining: Joining = {};
  /** When the token of the next socket ends, on the room's clock; or how long each lasts from when it is asked for. */
  endsAt: number | undefined;
  lifeMs: number | undefined;
  /** No token can be had: why. */
  refusal: { code: number; reason: string } | undefined;
  readonly #cables = new Map<number, Cable>();
  readonly #opening: { link: number; anew: boolean }[] = [];
  readonly #up: { link: number; text: string }[] = [];

  constructor(
    readonly stage: RoomStage,
    readonly user: string,
    options: Partial<SessionOptions> & { chance?: () => number; isSkewedMs?: number } = {},
  ) {
    const { chance = () => stage.world.random.next(), isSkewedMs = 0, ...session } = options;
    this.skewMs = isSkewedMs;
    this.session = new Session(
      {
        open: (link, anew) => void this.#opening.push({ link, anew }),
        send: (link, text) => {
          this.said.push({ link, text, at: stage.now });
          this.#up.push({ link, text });
        },
        close: (link) => this.#closed(link),
      },
      {
        event: (event) => {
          this.events.push(event);
          this.epochs.push(this.session.epoch);
        },
        signal: (signal) => void this.signals.push(signal),
        settled: (id, outcome) => void this.outcomes.set(id, [...(this.outcomes.get(id) ?? []), outcome]),
        fresh: () => void this.fresh++,
        checked: (verdict) => void this.verdicts.push(verdict),
        problem: (what) => void this.problems.push(what),
      },
      chance,
      { features: statesOf(stage.kind), prefix: user, canRenew: true, ...session },
    );
  }

  /** How far this machine's clock is ahead of the room's. */
  readonly skewMs: number;

  get now(): number {
    return this.stage.now + this.skewMs;
  }

  get links(): number[] {
    return [...this.#cables.keys()];
  }

  start(): this {
    this.session.start(this.now);
    return this.pump();
  }

  do(f: string, a: string, d: unknown = {}, more: { id?: string; timeoutMs?: number } = {}): string {
    return this.session.do({ f, a, d, ...more }, this.now);
  }

  say(text: string, more: { id?: string; timeoutMs?: number } = {}): string {
    return this.do("chat", "say", { text }, more);
  }

  /** The one outcome of an action; none while it is open, and never two. */
  outcome(id: string): Outcome | undefined {
    const all = this.outcomes.get(id) ?? [];
    if (all.length > 1) throw new Error(`${id} was settled ${all.length} times: ${JSON.stringify(all)}`);
    return all[0];
  }

  /** How it ended, in a word. */
  fate(id: string): string | undefined {
    const outcome = this.outcome(id);
    return outcome?.is === "refused" ? outcome.refusal.code : outcome?.is;
  }

  /** Everything travels, both ways, until nothing is under way. */
  pump(): this {
    for (let turns = 0; this.#turn(); turns++) {
      if (turns > 10_000) throw new Error("The two of them never stop talking.");
    }
    return this;
  }

  /** So many messages of the room's reach the session, and no more. */
  hear(count: number): void {
    for (const [link, cable] of this.#cables) {
      for (let heard = 0; heard < count && this.#next(link, cable); heard++);
    }
  }

  /** What the session has said reaches the room, the first so many of it; nothing comes back yet. */
  speak(count = Number.POSITIVE_INFINITY): void {
    while (count-- > 0 && this.#up.length > 0) {
      const { link, text } = this.#up.shift() as { link: number; text: string };
      const cable = this.#cables.get(link);
      if (!cable || cable.isDead || cable.tab.peer.state === "gone") continue;
      this.stage.tell(cable.tab, text);
    }
  }

  /** The wire is cut; both sides are told at once. What was under way is lost. */
  cut(): void {
    this.#up.length = 0;
    for (const [link, { tab }] of [...this.#cables]) {
      this.#cables.delete(link);
      this.stage.leave(tab);
      this.session.parted(link, { code: 1006, reason: "" }, this.now);
    }
  }

  /** The wire is cut, and nobody is told. */
  halfOpen(): void {
    this.#up.length = 0;
    for (const cable of this.#cables.values()) cable.isDead = true;
  }

  /** The server died: only this side is told. */
  lost(): void {
    this.#up.length = 0;
    for (const link of [...this.#cables.keys()]) {
      this.#cables.delete(link);
      this.session.parted(link, { code: 1006, reason: "" }, this.now);
    }
  }

  tick(): void {
    this.session.tick(this.now);
  }

  get wakeAt(): number {
    return this.session.wakeAt(this.now) - this.skewMs;
  }

  #turn(): boolean {
    let moved = false;
    for (const { link, anew } of this.#opening.splice(0)) {
      moved = true;
      this.#open(link, anew);
    }
    if (this.#up.length > 0) {
      moved = true;
      this.speak();
    }
    for (const [link, cable] of [...this.#cables]) {
      while (this.#next(link, cable)) moved = true;
    }
    return moved;
  }

  #open(link: number, anew: boolean): void {
    if (this.lifeMs !== undefined) this.endsAt = this.stage.now + this.lifeMs;
    if (this.refusal) return this.session.parted(link, this.refusal, this.now);
    this.session.authorised(link, this.endsAt, this.now);
    const { epoch, since } = this.session.resumePoint(link);
    this.opened.push({ link, anew, resumes: epoch !== undefined, at: this.now });
    if (this.isOffline) return this.session.parted(link, { code: 1006, reason: "" }, this.now);
    const tab = new RoomTab(this.user, `tab-${this.user}`, this.stage.kind);
    this.stage.tabs.push(tab);
    // What it has read is the session's to say.
    this.stage.deaf.add(tab);
    this.#cables.set(link, { tab, read: 0, isDead: false });
    this.stage.connect(tab, {
      ...(this.endsAt === undefined ? {} : { expiresAt: this.endsAt }),
      ...this.joining,
      tab: tab.tab,
      ...(epoch === undefined ? {} : { epoch, since: Number(since) }),
    });
  }

  /** One message, or the close after the last of them. */
  #next(link: number, cable: Cable): boolean {
    if (cable.isDead || this.#cables.get(link) !== cable) return false;
    const { peer } = cable.tab;
    const text = peer.texts[cable.read];
    if (text !== undefined) {
      cable.read++;
      this.session.heard(link, text, this.now);
      this.stood.push(this.session.link.is);
      return true;
    }
    const close = peer.closes[0];
    if (!close && peer.state === "open") return false;
    this.#cables.delete(link);
    peer.state = "gone";
    this.session.parted(link, close ?? { code: 1006, reason: "" }, this.now);
    this.stood.push(this.session.link.is);
    return true;
  }

  #closed(link: number): void {
    const waiting = this.#opening.findIndex((opening) => opening.link === link);
    if (waiting >= 0) this.#opening.splice(waiting, 1);
    const cable = this.#cables.get(link);
    this.#cables.delete(link);
    if (cable && !cable.isDead) this.stage.leave(cable.tab);
  }
}

/** Time passes for the room and for everybody in it, and what is due meanwhile happens. */
export function pass(stage: RoomStage, visitors: readonly Visitor[], ms: number): void {
  const until = stage.now + ms;
  for (let steps = 0; ; steps++) {
    if (steps > 100_000) throw new Error(`Time does not pass (seed ${stage.world.seed}).`);
    for (const visitor of visitors) visitor.pump();
    const wakes = visitors.map(({ wakeAt }) => wakeAt);
    const { timerAt, alarmAt } = stage.world;
    const isOver = stage.room.isOver;
    const room = isOver
      ? Number.POSITIVE_INFINITY
      : Math.min(timerAt ?? Number.POSITIVE_INFINITY, alarmAt ?? Number.POSITIVE_INFINITY);
    const next = Math.max(stage.now, Math.min(room, ...wakes));
    if (next > until) break;
    stage.pass(next - stage.now);
    for (const visitor of visitors) if (visitor.wakeAt <= stage.now) visitor.tick();
  }
  stage.pass(until - stage.now);
  for (const visitor of visitors) visitor.pump();
}
