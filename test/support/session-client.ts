import type { Outcome } from "../../src/client/session/outcome";
import { Session, type SessionOptions } from "../../src/client/session/session";
import type { AnyFeatureState } from "../../src/client/session/slices";
import type { Verification } from "../../src/client/session/verification";
import type { NumberedEvent, WireSignal } from "../../src/protocol/messages";
import type { AnyFeature } from "../../src/room/api/feature";
import type { Kind } from "../../src/room/api/kind";
import type { RoomStage, TabOptions } from "./room-stage";
import { RoomTab } from "./room-tab";

/** One socket between a session and a room in memory, with both directions in the test's hand. */
interface SocketPair {
  tab: RoomTab;
  read: number;
  /** Nothing passes any more, and neither side knows. */
  isDead: boolean;
}

/** The client's part of a feature, taken from the server's. */
export function toFeatureTable(kind: Kind): Record<string, AnyFeatureState> {
  return Object.fromEntries(
    kind.features.map(({ name, version, shared }: AnyFeature) => [
      name,
      { version, initial: shared.initial, reduce: shared.reduce },
    ]),
  );
}

/** A session with the real room on the other end. Messages travel when the test delivers them. */
export class SessionClient {
  readonly session: Session;
  readonly events: NumberedEvent[] = [];
  /** The room's epoch of each of them. */
  readonly epochs: (string | undefined)[] = [];
  readonly signals: WireSignal[] = [];
  readonly outcomes = new Map<string, Outcome[]>();
  readonly verifications: Verification[] = [];
  readonly problems: string[] = [];
  /** Every message that left, with the socket it left by. */
  readonly sent: { link: number; text: string; at: number }[] = [];
  readonly opened: { link: number; anew: boolean; resumes: boolean; at: number }[] = [];
  /** How its connection stood, message by message. */
  readonly connectionStates: string[] = [];
  freshCount = 0;
  /** The server cannot be reached. */
  isOffline = false;
  /** The join ticket that the room gets. */
  tabOptions: TabOptions = {};
  /** When the token of the next socket ends, on the room's clock; or how long each lasts from its request. */
  tokenEndsAt: number | undefined;
  tokenLifeMs: number | undefined;
  /** No token can be had: why. */
  tokenFailure: { code: number; reason: string } | undefined;
  readonly #sockets = new Map<number, SocketPair>();
  readonly #opening: { link: number; anew: boolean }[] = [];
  readonly #outgoing: { link: number; text: string }[] = [];

  constructor(
    readonly stage: RoomStage,
    readonly user: string,
    options: Partial<SessionOptions> & { chance?: () => number; isSkewedMs?: number } = {},
  ) {
    const { chance = () => stage.runtime.random.next(), isSkewedMs = 0, ...session } = options;
    this.skewMs = isSkewedMs;
    this.session = new Session(
      {
        open: (link, anew) => void this.#opening.push({ link, anew }),
        send: (link, text) => {
          this.sent.push({ link, text, at: stage.now });
          this.#outgoing.push({ link, text });
        },
        close: (link) => this.#onClose(link),
      },
      {
        onEvent: (event) => {
          this.events.push(event);
          this.epochs.push(this.session.epoch);
        },
        onSignal: (signal) => void this.signals.push(signal),
        onSettled: (id, outcome) => void this.outcomes.set(id, [...(this.outcomes.get(id) ?? []), outcome]),
        onFresh: () => void this.freshCount++,
        onVerified: (verdict) => void this.verifications.push(verdict),
        onProblem: (what) => void this.problems.push(what),
      },
      chance,
      { features: toFeatureTable(stage.kind), idPrefix: user, canRenew: true, ...session },
    );
  }

  /** How far this machine's clock is ahead of the room's. */
  readonly skewMs: number;

  get now(): number {
    return this.stage.now + this.skewMs;
  }

  get links(): number[] {
    return [...this.#sockets.keys()];
  }

  start(): this {
    this.session.start(this.now);
    return this.deliverAll();
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

  /** Its outcome, in a word. */
  outcomeCode(id: string): string | undefined {
    const outcome = this.outcome(id);
    return outcome?.is === "refused" ? outcome.refusal.code : outcome?.is;
  }

  /** Delivers everything, both ways, until nothing is in flight. */
  deliverAll(): this {
    for (let turns = 0; this.#deliverOnce(); turns++) {
      if (turns > 10_000) throw new Error("Session and room never stop talking.");
    }
    return this;
  }

  /** Delivers so many of the room's messages to the session, and no more. */
  deliverDown(count: number): void {
    for (const [link, cable] of this.#sockets) {
      for (let heard = 0; heard < count && this.#deliverNext(link, cable); heard++);
    }
  }

  /** Delivers the session's first so many messages to the room; nothing comes back yet. */
  deliverUp(count = Number.POSITIVE_INFINITY): void {
    while (count-- > 0 && this.#outgoing.length > 0) {
      const { link, text } = this.#outgoing.shift() as { link: number; text: string };
      const cable = this.#sockets.get(link);
      if (!cable || cable.isDead || cable.tab.peer.state === "gone") continue;
      this.stage.send(cable.tab, text);
    }
  }

  /** The connection is cut; both sides know at once. Messages in flight are lost. */
  cut(): void {
    this.#outgoing.length = 0;
    for (const [link, { tab }] of [...this.#sockets]) {
      this.#sockets.delete(link);
      this.stage.leave(tab);
      this.session.onClosed(link, { code: 1006, reason: "" }, this.now);
    }
  }

  /** The connection is cut, and neither side knows. */
  halfOpen(): void {
    this.#outgoing.length = 0;
    for (const cable of this.#sockets.values()) cable.isDead = true;
  }

  /** The server died: only the client learns of it. */
  loseServer(): void {
    this.#outgoing.length = 0;
    for (const link of [...this.#sockets.keys()]) {
      this.#sockets.delete(link);
      this.session.onClosed(link, { code: 1006, reason: "" }, this.now);
    }
  }

  tick(): void {
    this.session.tick(this.now);
  }

  get wakeAt(): number {
    return this.session.wakeAt(this.now) - this.skewMs;
  }

  #deliverOnce(): boolean {
    let moved = false;
    for (const { link, anew } of this.#opening.splice(0)) {
      moved = true;
      this.#open(link, anew);
    }
    if (this.#outgoing.length > 0) {
      moved = true;
      this.deliverUp();
    }
    for (const [link, cable] of [...this.#sockets]) {
      while (this.#deliverNext(link, cable)) moved = true;
    }
    return moved;
  }

  #open(link: number, anew: boolean): void {
    if (this.tokenLifeMs !== undefined) this.tokenEndsAt = this.stage.now + this.tokenLifeMs;
    if (this.tokenFailure) return this.session.onClosed(link, this.tokenFailure, this.now);
    this.session.onToken(link, this.tokenEndsAt, this.now);
    const { epoch, since } = this.session.resumePoint(link);
    this.opened.push({ link, anew, resumes: epoch !== undefined, at: this.now });
    if (this.isOffline) return this.session.onClosed(link, { code: 1006, reason: "" }, this.now);
    const tab = new RoomTab(this.user, `tab-${this.user}`, this.stage.kind);
    this.stage.tabs.push(tab);
    // The session sends `seen` itself.
    this.stage.deaf.add(tab);
    this.#sockets.set(link, { tab, read: 0, isDead: false });
    this.stage.connect(tab, {
      ...(this.tokenEndsAt === undefined ? {} : { expiresAt: this.tokenEndsAt }),
      ...this.tabOptions,
      tab: tab.tab,
      ...(epoch === undefined ? {} : { epoch, since: Number(since) }),
    });
  }

  /** One message, or the close after the last of them. */
  #deliverNext(link: number, cable: SocketPair): boolean {
    if (cable.isDead || this.#sockets.get(link) !== cable) return false;
    const { peer } = cable.tab;
    const text = peer.texts[cable.read];
    if (text !== undefined) {
      cable.read++;
      this.session.onMessage(link, text, this.now);
      this.connectionStates.push(this.session.connection.is);
      return true;
    }
    const close = peer.closes[0];
    if (!close && peer.state === "open") return false;
    this.#sockets.delete(link);
    peer.state = "gone";
    this.session.onClosed(link, close ?? { code: 1006, reason: "" }, this.now);
    this.connectionStates.push(this.session.connection.is);
    return true;
  }

  #onClose(link: number): void {
    const waiting = this.#opening.findIndex((opening) => opening.link === link);
    if (waiting >= 0) this.#opening.splice(waiting, 1);
    const cable = this.#sockets.get(link);
    this.#sockets.delete(link);
    if (cable && !cable.isDead) this.stage.leave(cable.tab);
  }
}

/** Time passes for the room and its clients, and due events happen. */
export function advance(stage: RoomStage, clients: readonly SessionClient[], ms: number): void {
  const until = stage.now + ms;
  for (let steps = 0; ; steps++) {
    if (steps > 100_000) throw new Error(`Time does not pass (seed ${stage.runtime.seed}).`);
    for (const client of clients) client.deliverAll();
    const wakes = clients.map(({ wakeAt }) => wakeAt);
    const { timerAt, alarmAt } = stage.runtime;
    const isOver = stage.room.isOver;
    const room = isOver
      ? Number.POSITIVE_INFINITY
      : Math.min(timerAt ?? Number.POSITIVE_INFINITY, alarmAt ?? Number.POSITIVE_INFINITY);
    const next = Math.max(stage.now, Math.min(room, ...wakes));
    if (next > until) break;
    stage.advance(next - stage.now);
    for (const client of clients) if (client.wakeAt <= stage.now) client.tick();
  }
  stage.advance(until - stage.now);
  for (const client of clients) client.deliverAll();
}
