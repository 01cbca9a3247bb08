import { closeCodes, isFinal, type Role } from "../../src/protocol/codes";
import { PING_MS, RESEND_MS, SEEN_EVERY_BYTES, SILENT_MS } from "../../src/protocol/limits";
import type { Bye, Down, Frame, Json, Welcome } from "../../src/protocol/messages";
import type { Kind } from "../../src/room/kind";
import { type Client, reachOf } from "./client";
import type { Deployment } from "./deployment";
import { Link } from "./link";
import type { RoomObject } from "./room-object";
import { textOf } from "./truth";

interface Asked {
  text: string;
  /** When it was first sent, and in which life of the room. */
  sentAt?: number;
  epoch?: string;
  outcome?: string;
}

/** Somebody's tab, which does as the protocol tells clients to: it folds, resumes, sends again, says what it has read, and comes back. */
export class Tab implements Client {
  link: Link | undefined;
  slices: Record<string, unknown> = {};
  epoch: string | undefined;
  seq = 0;
  isWelcome = false;
  isWanted = true;
  barredBy: number | undefined;
  readonly asked = new Map<string, Asked>();
  isMute = false;
  /** It knows of no marks. */
  isOld = false;
  #versions: Record<string, string> = {};
  #unread = 0;
  #heardAt = 0;
  #frames = 0;
  #isComing = false;
  /** Sockets that a newer one was opened beside: let go once that is welcome. */
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
    return this.isWelcome && this.link !== undefined && !this.link.isOver;
  }

  connect(expiresInMs = this.deployment.tokenMs): void {
    const { deployment, object, user, tab, role, epoch, seq } = this;
    const since = epoch === undefined ? undefined : { epoch, seq };
    this.isWelcome = false;
    if (this.link && !this.link.isOver) this.#older.push(this.link);
    const link: Link = new Link(deployment, object, user, since, {
      heard: (text) => this.link === link && this.#heard(text),
      closed: () => this.link === link && this.#lost(),
    });
    this.link = link;
    this.#heardAt = deployment.clock.now;
    const expiresAt = Math.floor(deployment.clock.now) + expiresInMs;
    const resume = since ? { epoch: since.epoch, since: since.seq } : {};
    const guest = role === "player" && deployment.plan.hasGuests;
    const hello = { user, name: user, role, ...reachOf(user), guest, expiresAt, tab, ...resume };
    link.open(hello, deployment.freshId());
    deployment.clock.in(PING_MS, () => this.#ping(link));
  }

  come(): void {
    this.isWanted = true;
    this.barredBy = undefined;
    if (this.link && !this.link.isOver) return;
    this.connect();
  }

  leave(): void {
    this.isWanted = false;
    this.isWelcome = false;
    this.link?.close();
    this.link = undefined;
    this.#letGo();
  }

  do(f: string, a: string, d: Json): void {
    const id = `p-${this.deployment.freshId()}`;
    const asked: Asked = { text: JSON.stringify({ t: "do", id, f, a, d }) };
    this.asked.set(id, asked);
    if (this.isOnline) this.#send(asked);
  }

  /** Says it before it was greeted, and thus not knowing in which life of the room. */
  sayOnOpening(f: string, a: string, d: Json): void {
    const id = `e-${this.deployment.freshId()}`;
    this.link?.up(JSON.stringify({ t: "do", id, f, a, d }));
  }

  /** Any text, as it is. */
  say(text: string): void {
    this.link?.up(text);
  }

  get unanswered(): string[] {
    return [...this.asked.values()].filter(({ outcome }) => outcome === undefined).map(({ text }) => text);
  }

  calm(): void {
    this.isMute = false;
    if (this.link) this.link.stalledUntil = 0;
  }

  check(): void {
    const life = this.epoch === undefined ? undefined : this.object.truth.lives.get(this.epoch);
    const state = life?.states[this.seq];
    if (!life || !state)
      return this.deployment.breach(2, `${this.user} holds ${this.seq}, which nobody stored`);
    for (const { name, version } of this.kind.features) {
      if (this.#versions[name] !== version) continue;
      if (textOf(this.slices[name]) !== textOf(state[name])) {
        this.deployment.breach(
          3,
          `${this.user} at ${this.seq} holds ${name} as ${textOf(this.slices[name])}; the log folds to ${textOf(state[name])}`,
        );
      }
    }
  }

  #send(asked: Asked): void {
    asked.sentAt ??= this.deployment.clock.now;
    asked.epoch ??= this.epoch ?? "";
    this.link?.up(asked.text);
  }

  #heard(text: string): void {
    this.#heardAt = this.deployment.clock.now;
    if (text === "pong") return;
    this.#unread += text.length;
    const message = JSON.parse(text) as Down;
    switch (message.t) {
      case "welcome":
        this.#welcome(message);
        break;
      case "frame":
        this.#frame(message);
        break;
      case "ack":
        this.#settle(message.id, "done");
        break;
      case "nack":
        if (message.id !== undefined) this.#settle(message.id, message.code);
        break;
      case "bye":
        return this.#bye(message);
      default:
        break;
    }
    const m = this.isOld || message.t !== "frame" ? undefined : message.m;
    if (this.isMute || (m === undefined && this.#unread < SEEN_EVERY_BYTES)) return;
    this.#unread = 0;
    this.link?.up(JSON.stringify({ t: "seen", seq: this.seq, m }));
  }

  #welcome({ epoch, seq, resumed, state, features }: Welcome): void {
    const isSame = epoch === this.epoch;
    this.#versions = features;
    this.epoch = epoch;
    if (!resumed) {
      this.slices = { ...state };
      this.seq = seq;
    }
    this.isWelcome = true;
    this.#letGo();
    this.check();
    for (const asked of this.asked.values()) {
      if (asked.outcome !== undefined) continue;
      const age = this.deployment.clock.now - (asked.sentAt ?? this.deployment.clock.now);
      if (asked.sentAt === undefined || (isSame && asked.epoch === epoch && age < RESEND_MS / 2))
        this.#send(asked);
      else asked.outcome = "unknown";
    }
  }

  #frame({ seq, at, e }: Frame): void {
    e.forEach((event, index) => {
      const numbered = { ...event, seq: seq - e.length + 1 + index, at };
      const feature = this.kind.features.find(({ name }) => name === event.f);
      if (feature) this.slices[event.f] = feature.shared.reduce(this.slices[event.f], numbered);
      if (event.op !== undefined && event.by === this.user) this.#settle(event.op, "done");
    });
    this.seq = seq;
    if (++this.#frames % 16 === 0) this.check();
  }

  #settle(id: string, outcome: string): void {
    const asked = this.asked.get(id);
    if (asked) asked.outcome ??= outcome;
  }

  #bye({ code, retryAfterMs = 1_000 }: Bye): void {
    const { link } = this;
    this.isWelcome = false;
    link?.close();
    this.deployment.counts.byes++;
    // One of its own came after the one that took its place.
    const isHaunted = code === closeCodes.replaced && this.#letGo();
    const isBarred =
      !isHaunted && isFinal(code) && code !== closeCodes.badToken && code !== closeCodes.roomClosed;
    if (!isBarred) return this.#comeBack(retryAfterMs);
    this.barredBy = code;
    this.#letGo();
  }

  #letGo(): boolean {
    const older = this.#older.splice(0);
    for (const link of older) link.close();
    return older.length > 0;
  }

  #lost(): void {
    this.isWelcome = false;
    this.#comeBack(500);
  }

  #comeBack(afterMs: number): void {
    if (this.#isComing) return;
    this.#isComing = true;
    const { clock, chance } = this.deployment;
    clock.in(afterMs + chance.below(1_000), () => {
      this.#isComing = false;
      if (this.isWanted && this.barredBy === undefined && (!this.link || this.link.isOver)) this.connect();
    });
  }

  #ping(link: Link): void {
    if (this.link !== link || link.isOver) return;
    const { clock } = this.deployment;
    if (clock.now - this.#heardAt > SILENT_MS) {
      link.close();
      return this.#lost();
    }
    link.up("ping");
    clock.in(PING_MS, () => this.#ping(link));
  }
}
