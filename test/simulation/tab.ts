import { closeCodes, isFinal, type Role } from "../../src/protocol/codes";
import { PING_MS, RESEND_MS, SEEN_EVERY_BYTES, SILENT_MS } from "../../src/protocol/limits";
import type { Bye, Down, Frame, Json, Welcome } from "../../src/protocol/messages";
import type { Kind } from "../../src/room/api/kind";
import { type Client, reachOf } from "./client";
import type { Deployment } from "./deployment";
import { canonicalText } from "./durable-history";
import { Link } from "./link";
import type { RoomObject } from "./room-object";

interface SentAction {
  text: string;
  /** When it was first sent, and in which epoch of the room. */
  sentAt?: number;
  epoch?: string;
  outcome?: string;
}

/** A tab that follows the protocol by itself: it folds, resumes, sends again, sends `seen`, and comes back. */
export class Tab implements Client {
  link: Link | undefined;
  slices: Record<string, unknown> = {};
  epoch: string | undefined;
  seq = 0;
  isWelcomed = false;
  isWanted = true;
  endedBy: number | undefined;
  readonly actions = new Map<string, SentAction>();
  isSilent = false;
  /** It knows of no marks. */
  isOld = false;
  #versions: Record<string, string> = {};
  #unread = 0;
  #lastMessageAt = 0;
  #frames = 0;
  #isReconnecting = false;
  /** Sockets beside which a newer one was opened: closed once that is welcomed. */
  #older: Link[] = [];

  constructor(
    private readonly deployment: Deployment,
    readonly object: RoomObject,
    readonly user: string,
    readonly tab: string,
    readonly role: Role,
    private readonly kind: Kind,
  ) {}

  get isOnline(): boolean {
    return this.isWelcomed && this.link !== undefined && !this.link.isClosed;
  }

  connect(expiresInMs = this.deployment.tokenMs): void {
    const { deployment, object, user, tab, role, epoch, seq } = this;
    const since = epoch === undefined ? undefined : { epoch, seq };
    this.isWelcomed = false;
    if (this.link && !this.link.isClosed) this.#older.push(this.link);
    const link: Link = new Link(deployment, object, user, since, {
      onText: (text) => this.link === link && this.#onText(text),
      onClosed: () => this.link === link && this.#onLost(),
    });
    this.link = link;
    this.#lastMessageAt = deployment.clock.now;
    const expiresAt = Math.floor(deployment.clock.now) + expiresInMs;
    const resume = since ? { epoch: since.epoch, since: since.seq } : {};
    const guest = role === "player" && deployment.plan.hasGuests;
    const ticket = { user, name: user, role, ...reachOf(user), guest, expiresAt, tab, ...resume };
    link.open(ticket, deployment.freshId());
    deployment.clock.in(PING_MS, () => this.#ping(link));
  }

  join(): void {
    this.isWanted = true;
    this.endedBy = undefined;
    if (this.link && !this.link.isClosed) return;
    this.connect();
  }

  leave(): void {
    this.isWanted = false;
    this.isWelcomed = false;
    this.link?.close();
    this.link = undefined;
    this.#closeOlder();
  }

  do(f: string, a: string, d: Json): void {
    const id = `p-${this.deployment.freshId()}`;
    const action: SentAction = { text: JSON.stringify({ t: "do", id, f, a, d }) };
    this.actions.set(id, action);
    if (this.isOnline) this.#send(action);
  }

  /** Sends it before the welcome, and so without knowing the room's epoch. */
  doBeforeWelcome(f: string, a: string, d: Json): void {
    const id = `e-${this.deployment.freshId()}`;
    this.link?.sendUp(JSON.stringify({ t: "do", id, f, a, d }));
  }

  /** Any text, as it is. */
  send(text: string): void {
    this.link?.sendUp(text);
  }

  get unanswered(): string[] {
    return [...this.actions.values()].filter(({ outcome }) => outcome === undefined).map(({ text }) => text);
  }

  stopFaults(): void {
    this.isSilent = false;
    if (this.link) this.link.stalledUntil = 0;
  }

  checkState(): void {
    const life = this.epoch === undefined ? undefined : this.object.truth.epochs.get(this.epoch);
    const state = life?.states[this.seq];
    if (!life || !state)
      return this.deployment.reportBreach(2, `${this.user} holds ${this.seq}, which is not stored`);
    for (const { name, version } of this.kind.features) {
      if (this.#versions[name] !== version) continue;
      if (canonicalText(this.slices[name]) !== canonicalText(state[name])) {
        this.deployment.reportBreach(
          3,
          `${this.user} at ${this.seq} holds ${name} as ${canonicalText(this.slices[name])}; the log folds to ${canonicalText(state[name])}`,
        );
      }
    }
  }

  #send(action: SentAction): void {
    action.sentAt ??= this.deployment.clock.now;
    action.epoch ??= this.epoch ?? "";
    this.link?.sendUp(action.text);
  }

  #onText(text: string): void {
    this.#lastMessageAt = this.deployment.clock.now;
    if (text === "pong") return;
    this.#unread += text.length;
    const message = JSON.parse(text) as Down;
    switch (message.t) {
      case "welcome":
        this.#onWelcome(message);
        break;
      case "frame":
        this.#onFrame(message);
        break;
      case "ack":
        this.#settle(message.id, "done");
        break;
      case "nack":
        if (message.id !== undefined) this.#settle(message.id, message.code);
        break;
      case "bye":
        return this.#onBye(message);
      default:
        break;
    }
    const m = this.isOld || message.t !== "frame" ? undefined : message.m;
    if (this.isSilent || (m === undefined && this.#unread < SEEN_EVERY_BYTES)) return;
    this.#unread = 0;
    this.link?.sendUp(JSON.stringify({ t: "seen", seq: this.seq, m }));
  }

  #onWelcome({ epoch, seq, resumed, state, features }: Welcome): void {
    const isSame = epoch === this.epoch;
    this.#versions = features;
    this.epoch = epoch;
    if (!resumed) {
      this.slices = { ...state };
      this.seq = seq;
    }
    this.isWelcomed = true;
    this.#closeOlder();
    this.checkState();
    for (const action of this.actions.values()) {
      if (action.outcome !== undefined) continue;
      const age = this.deployment.clock.now - (action.sentAt ?? this.deployment.clock.now);
      if (action.sentAt === undefined || (isSame && action.epoch === epoch && age < RESEND_MS / 2))
        this.#send(action);
      else action.outcome = "unknown";
    }
  }

  #onFrame({ seq, at, e }: Frame): void {
    e.forEach((event, index) => {
      const numbered = { ...event, seq: seq - e.length + 1 + index, at };
      const feature = this.kind.features.find(({ name }) => name === event.f);
      if (feature) this.slices[event.f] = feature.shared.reduce(this.slices[event.f], numbered);
      if (event.op !== undefined && event.by === this.user) this.#settle(event.op, "done");
    });
    this.seq = seq;
    if (++this.#frames % 16 === 0) this.checkState();
  }

  #settle(id: string, outcome: string): void {
    const action = this.actions.get(id);
    if (action) action.outcome ??= outcome;
  }

  #onBye({ code, retryAfterMs = 1_000 }: Bye): void {
    const { link } = this;
    this.isWelcomed = false;
    link?.close();
    this.deployment.counts.byes++;
    // One of its own came after the one that took its place.
    const isHaunted = code === closeCodes.replaced && this.#closeOlder();
    const isBarred =
      !isHaunted && isFinal(code) && code !== closeCodes.badToken && code !== closeCodes.roomClosed;
    if (!isBarred) return this.#reconnectLater(retryAfterMs);
    this.endedBy = code;
    this.#closeOlder();
  }

  #closeOlder(): boolean {
    const older = this.#older.splice(0);
    for (const link of older) link.close();
    return older.length > 0;
  }

  #onLost(): void {
    this.isWelcomed = false;
    this.#reconnectLater(500);
  }

  #reconnectLater(afterMs: number): void {
    if (this.#isReconnecting) return;
    this.#isReconnecting = true;
    const { clock, random } = this.deployment;
    clock.in(afterMs + random.below(1_000), () => {
      this.#isReconnecting = false;
      if (this.isWanted && this.endedBy === undefined && (!this.link || this.link.isClosed)) this.connect();
    });
  }

  #ping(link: Link): void {
    if (this.link !== link || link.isClosed) return;
    const { clock } = this.deployment;
    if (clock.now - this.#lastMessageAt > SILENT_MS) {
      link.close();
      return this.#onLost();
    }
    link.sendUp("ping");
    clock.in(PING_MS, () => this.#ping(link));
  }
}
