import { Session } from "../../src/client/session/session";
import type { CloseInfo } from "../../src/client/session/transport";
import { closeCodes, type Role } from "../../src/protocol/codes";
import type { Json } from "../../src/protocol/messages";
import type { Kind } from "../../src/room/api/kind";
import { type Client, reachOf } from "./client";
import type { Deployment } from "./deployment";
import { canonicalText } from "./durable-history";
import { toFeatureTable } from "./feature-table";
import { Link } from "./link";
import { OutcomeChecker } from "./outcome-checker";
import type { RoomObject } from "./room-object";
import { WakeTimer } from "./wake-timer";

/** An open page: the real session, on a clock of its own, over sockets that break. */
export class Page implements Client {
  endedBy: number | undefined;
  isWanted = true;
  isSilent = false;
  session: Session;
  readonly #links = new Map<number, Link>();
  /** Opened by the session and not closed by it. */
  readonly #wanted = new Set<number>();
  readonly #outcomes: OutcomeChecker;
  #kind: Kind;
  #loadCount = 0;
  /** The newest number that its reader has received. */
  #lastSeq = 0;
  #tokenLifeMs: number;
  readonly #wakeTimer: WakeTimer;
  #messageCount = 0;

  constructor(
    private readonly deployment: Deployment,
    readonly object: RoomObject,
    readonly user: string,
    readonly tab: string,
    readonly role: Role,
    kind: Kind,
    /** This machine's clock is not the room's. */
    readonly skewMs: number,
  ) {
    this.#kind = kind;
    this.#tokenLifeMs = deployment.tokenMs;
    this.#outcomes = new OutcomeChecker(deployment, object, user);
    this.session = this.#createSession();
    this.#wakeTimer = new WakeTimer(
      deployment,
      () => this.session.wakeAt(this.#now) - this.skewMs,
      () => this.#run((now) => this.session.tick(now)),
      `the page of ${user}`,
    );
  }

  get link(): Link | undefined {
    return [...this.#links.values()].at(-1);
  }
  get epoch(): string | undefined {
    return this.session.epoch;
  }
  get seq(): number {
    return this.session.seq;
  }
  get isOnline(): boolean {
    return this.session.isCaughtUp;
  }
  get unanswered(): readonly string[] {
    return this.#outcomes.open;
  }

  /** Whether it sent the action of that id. */
  hasAsked(id: string): boolean {
    return this.#outcomes.hasAsked(id);
  }

  connect(expiresInMs = this.deployment.tokenMs): void {
    this.#tokenLifeMs = expiresInMs;
    this.join();
  }

  join(): void {
    this.isWanted = true;
    this.endedBy = undefined;
    this.#run((now) => this.session.start(now));
  }

  leave(): void {
    this.isWanted = false;
    this.#run(() => this.session.stop());
  }

  do(f: string, a: string, d: Json): void {
    this.#run((now) => {
      // An action that cannot be sent settles before its id is known.
      const early = this.#outcomes.begin();
      early(this.session.do({ f, a, d }, now), `${f}.${a}`);
    });
  }

  send(text: string): void {
    const { t, f, n, d } = parseClientMessage(text);
    if (t === "verify") this.#run((now) => this.session.verify(now));
    else if (t === "sig") this.#run((now) => this.session.signal(String(f), String(n), d ?? {}, now));
  }

  /** The page becomes visible. */
  reconnect(): void {
    this.#run((now) => this.session.reconnect(now));
  }

  /** A reload: the code that is served now, and no state. */
  reload(kind: Kind): void {
    this.#run(() => this.session.stop());
    this.#kind = kind;
    this.session = this.#createSession();
    if (this.isWanted) this.join();
  }

  checkState(): void {
    const { session, object, user } = this;
    const life = session.epoch === undefined ? undefined : object.truth.epochs.get(session.epoch);
    const state = life?.states[session.seq];
    if (!life || !state)
      return this.deployment.reportBreach(2, `${user} holds ${session.seq}, which is not stored`);
    const versions = life.versionsAt(session.seq);
    for (const { name, version } of this.#kind.features) {
      if (versions[name] !== version) continue;
      if (canonicalText(session.states[name]) !== canonicalText(state[name])) {
        this.deployment.reportBreach(
          3,
          `the page of ${user} at ${session.seq} holds ${name} as ${canonicalText(session.states[name])}; the log folds to ${canonicalText(state[name])}`,
        );
      }
    }
  }

  stopFaults(): void {
    const { link } = this;
    if (link) link.stalledUntil = 0;
  }

  /** Once all is quiet. */
  checkSettled(): void {
    this.#outcomes.checkSettled();
    if (!this.isOnline) return;
    this.checkState();
    const { session, deployment, object } = this;
    const { current: life } = object.truth;
    if (life?.epoch !== session.epoch || deployment.plan.skewMs > 0 || deployment.plan.stepMs) return;
    for (const [feature, slice] of Object.entries(session.mine)) {
      if (canonicalText(slice) !== canonicalText(life?.privateView(feature, this.user)))
        deployment.reportBreach(10, `the page of ${this.user} shows ${canonicalText(slice)} of ${feature}`);
    }
    const off = session.clock.roomTime(this.#now) - deployment.clock.now;
    if (Math.abs(off) > session.clock.errorMs + 2)
      deployment.reportBreach(
        22,
        `${this.user} takes it to be ${off} ms later, give or take ${session.clock.errorMs}`,
      );
  }

  #createSession(): Session {
    this.#loadCount++;
    this.#lastSeq = 0;
    // The same for every user: ids differ by user, not by how unlikely they are.
    const prefix = `p-${this.tab}-${this.#loadCount}`;
    const session: Session = new Session(
      {
        open: (link, anew) => this.#openSocket(session, link, anew),
        send: (link, text) => this.#links.get(link)?.sendUp(text),
        close: (link) => {
          this.#wanted.delete(link);
          this.#links.get(link)?.close();
          this.#links.delete(link);
        },
      },
      {
        onEvent: ({ seq, at }) => {
          if (seq !== this.#lastSeq + 1)
            this.deployment.reportBreach(
              9,
              `the page of ${this.user} receives ${seq} after ${this.#lastSeq}`,
            );
          this.#lastSeq = seq;
          const stored = this.object.truth.epochs.get(session.epoch ?? "")?.events[seq - 1];
          if (stored?.at !== at)
            this.deployment.reportBreach(
              2,
              `the page of ${this.user} receives ${seq} of ${at}, stored ${stored?.at}`,
            );
        },
        onSignal: () => {},
        onSettled: (id, outcome) => this.#outcomes.settle(id, outcome, session.epoch),
        onFresh: () => {
          this.#lastSeq = session.seq;
          this.checkState();
        },
        onVerified: ({ seq, differing }) => {
          if (differing.length > 0)
            this.deployment.reportBreach(3, `the page of ${this.user} differs at ${seq} in ${differing}`);
        },
        onProblem: (what, error) => this.deployment.reportBreach(13, `${what}: ${String(error)}`),
      },
      () => this.deployment.random.next(),
      { features: toFeatureTable(this.#kind), idPrefix: prefix, canRenew: true },
    );
    return session;
  }

  /** Fetches a token, which takes time, and then opens a socket. */
  #openSocket(session: Session, link: number, anew: boolean): void {
    const { deployment, user, role, object } = this;
    // Each load of a page is a tab of its own to the room.
    const pk = `${this.tab}-${this.#loadCount}`;
    const { clock } = deployment;
    this.#wanted.add(link);
    clock.in(anew ? deployment.drawNetMs() : 1, () => {
      if (session !== this.session || !this.#wanted.has(link)) return;
      const endsAt = Math.floor(clock.now) + this.#tokenLifeMs;
      this.#tokenLifeMs = deployment.tokenMs;
      this.#run((now) => session.onToken(link, endsAt, now));
      const { epoch, since } = session.resumePoint(link);
      const from = epoch === undefined ? undefined : { epoch, seq: Number(since) };
      const made: Link = new Link(deployment, object, user, from, {
        onText: (text) => this.#onText(session, link, text),
        onClosed: (code) => this.#onClosed(session, link, { code: code ?? 1006, reason: "" }),
      });
      this.#links.set(link, made);
      const resume = from ? { epoch: from.epoch, since: from.seq } : {};
      const guest = role === "player" && deployment.plan.hasGuests;
      const who = { user, name: user, role, ...reachOf(user), guest };
      made.open({ ...who, expiresAt: endsAt, tab: pk, ...resume }, deployment.freshId());
    });
  }

  #onText(session: Session, link: number, text: string): void {
    if (session !== this.session || !this.#wanted.has(link)) return;
    this.#run((now) => session.onMessage(link, text, now));
    if (++this.#messageCount % 16 === 0 && session.epoch !== undefined) this.checkState();
  }

  #onClosed(session: Session, link: number, why: CloseInfo): void {
    if (session === this.session && this.#wanted.has(link)) {
      this.#run((now) => session.onClosed(link, why, now));
    }
  }

  #run(what: (now: number) => void): void {
    what(this.#now);
    const { connection: link } = this.session;
    if (link.is === "ended" && this.endedBy === undefined) {
      this.endedBy = link.code;
      this.deployment.trace(() => `  the page of ${this.user}/${this.tab} ends with ${link.code}`);
      if (link.code === closeCodes.replaced)
        this.deployment.reportBreach(
          14,
          `the page of ${this.user}/${this.tab} ends for one of its own sockets`,
        );
    }
    this.#wakeTimer.set();
  }

  get #now(): number {
    return this.deployment.clock.now + this.skewMs;
  }
}

function parseClientMessage(text: string): { t?: unknown; f?: unknown; n?: unknown; d?: Json } {
  try {
    return (JSON.parse(text) as { t?: unknown } | null) ?? {};
  } catch {
    return {};
  }
}
