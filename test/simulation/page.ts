import { Session } from "../../src/client/session";
import type { Parting } from "../../src/client/session/lifeline";
import { closeCodes, type Role } from "../../src/protocol/codes";
import type { Json } from "../../src/protocol/messages";
import type { Kind } from "../../src/room/kind";
import { type Client, reachOf } from "./client";
import type { Deployment } from "./deployment";
import { tableOf } from "./feature-table";
import { Link } from "./link";
import { Promises } from "./promises";
import type { RoomObject } from "./room-object";
import { textOf } from "./truth";
import { Waking } from "./waking";

/** A page that somebody has open: the real session, on a clock of its own, over sockets that break. */
export class Page implements Client {
  barredBy: number | undefined;
  isWanted = true;
  isMute = false;
  session: Session;
  readonly #links = new Map<number, Link>();
  /** Asked for by the session and not closed by it. */
  readonly #wanted = new Set<number>();
  readonly #promises: Promises;
  #kind: Kind;
  #loads = 0;
  /** The newest number that its reader was told of. */
  #told = 0;
  #lifeMs: number;
  readonly #waking: Waking;
  #heard = 0;

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
    this.#lifeMs = deployment.tokenMs;
    this.#promises = new Promises(deployment, object, user);
    this.session = this.#load();
    this.#waking = new Waking(
      deployment,
      () => this.session.wakeAt(this.#now) - this.skewMs,
      () => this.#happen((now) => this.session.tick(now)),
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
    return this.#promises.open;
  }

  /** Whether it asked for the action of that id. */
  asks(id: string): boolean {
    return this.#promises.asks(id);
  }

  connect(expiresInMs = this.deployment.tokenMs): void {
    this.#lifeMs = expiresInMs;
    this.come();
  }

  come(): void {
    this.isWanted = true;
    this.barredBy = undefined;
    this.#happen((now) => this.session.start(now));
  }

  leave(): void {
    this.isWanted = false;
    this.#happen(() => this.session.stop());
  }

  do(f: string, a: string, d: Json): void {
    this.#happen((now) => {
      // What cannot even be sent settles before its id is told.
      const early = this.#promises.begin();
      early(this.session.do({ f, a, d }, now), `${f}.${a}`);
    });
  }

  say(text: string): void {
    const { t, f, n, d } = readUp(text);
    if (t === "verify") this.#happen((now) => this.session.verify(now));
    else if (t === "sig") this.#happen((now) => this.session.signal(String(f), String(n), d ?? {}, now));
  }

  /** Somebody looks at it again. */
  nudge(): void {
    this.#happen((now) => this.session.nudge(now));
  }

  /** Whatever code is served by now, and nothing of what was known. */
  reload(kind: Kind): void {
    this.#happen(() => this.session.stop());
    this.#kind = kind;
    this.session = this.#load();
    if (this.isWanted) this.come();
  }

  check(): void {
    const { session, object, user } = this;
    const life = session.epoch === undefined ? undefined : object.truth.lives.get(session.epoch);
    const state = life?.states[session.seq];
    if (!life || !state)
      return this.deployment.breach(2, `${user} holds ${session.seq}, which nobody stored`);
    const versions = life.versionsAt(session.seq);
    for (const { name, version } of this.#kind.features) {
      if (versions[name] !== version) continue;
      if (textOf(session.states[name]) !== textOf(state[name])) {
        this.deployment.breach(
          3,
          `the page of ${user} at ${session.seq} holds ${name} as ${textOf(session.states[name])}; the log folds to ${textOf(state[name])}`,
        );
      }
    }
  }

  calm(): void {
    const { link } = this;
    if (link) link.stalledUntil = 0;
  }

  /** Once all is quiet. */
  settled(): void {
    this.#promises.settled();
    if (!this.isOnline) return;
    this.check();
    const { session, deployment, object } = this;
    const { life } = object.truth;
    if (life?.epoch !== session.epoch || deployment.plan.skewMs > 0 || deployment.plan.stepMs) return;
    for (const [feature, slice] of Object.entries(session.mine)) {
      if (textOf(slice) !== textOf(life?.mine(feature, this.user)))
        deployment.breach(10, `the page of ${this.user} shows ${textOf(slice)} of ${feature}`);
    }
    const off = session.clock.at(this.#now) - deployment.clock.now;
    if (Math.abs(off) > session.clock.errorMs + 2)
      deployment.breach(
        22,
        `${this.user} takes it to be ${off} ms later, give or take ${session.clock.errorMs}`,
      );
  }

  #load(): Session {
    this.#loads++;
    this.#told = 0;
    // The same for every user: ids are told apart by user, not by how unlikely they are.
    const prefix = `p-${this.tab}-${this.#loads}`;
    const session: Session = new Session(
      {
        open: (link, anew) => this.#open(session, link, anew),
        send: (link, text) => this.#links.get(link)?.up(text),
        close: (link) => {
          this.#wanted.delete(link);
          this.#links.get(link)?.close();
          this.#links.delete(link);
        },
      },
      {
        event: ({ seq, at }) => {
          if (seq !== this.#told + 1)
            this.deployment.breach(9, `the page of ${this.user} is told ${seq} after ${this.#told}`);
          this.#told = seq;
          const stored = this.object.truth.lives.get(session.epoch ?? "")?.events[seq - 1];
          if (stored?.at !== at)
            this.deployment.breach(
              2,
              `the page of ${this.user} is told ${seq} of ${at}, stored ${stored?.at}`,
            );
        },
        signal: () => {},
        settled: (id, outcome) => this.#promises.settle(id, outcome, session.epoch),
        fresh: () => {
          this.#told = session.seq;
          this.check();
        },
        checked: ({ seq, differing }) => {
          if (differing.length > 0)
            this.deployment.breach(3, `the page of ${this.user} differs at ${seq} in ${differing}`);
        },
        problem: (what, error) => this.deployment.breach(13, `${what}: ${String(error)}`),
      },
      () => this.deployment.chance.next(),
      { features: tableOf(this.#kind), prefix, canRenew: true },
    );
    return session;
  }

  /** A token is had for it, which takes its time, and then a socket. */
  #open(session: Session, link: number, anew: boolean): void {
    const { deployment, user, role, object } = this;
    // Each load of a page is a tab of its own to the room.
    const pk = `${this.tab}-${this.#loads}`;
    const { clock } = deployment;
    this.#wanted.add(link);
    clock.in(anew ? deployment.netMs() : 1, () => {
      if (session !== this.session || !this.#wanted.has(link)) return;
      const endsAt = Math.floor(clock.now) + this.#lifeMs;
      this.#lifeMs = deployment.tokenMs;
      this.#happen((now) => session.authorised(link, endsAt, now));
      const { epoch, since } = session.resumePoint(link);
      const from = epoch === undefined ? undefined : { epoch, seq: Number(since) };
      const made: Link = new Link(deployment, object, user, from, {
        heard: (text) => this.#hear(session, link, text),
        closed: (code) => this.#part(session, link, { code: code ?? 1006, reason: "" }),
      });
      this.#links.set(link, made);
      const resume = from ? { epoch: from.epoch, since: from.seq } : {};
      const guest = role === "player" && deployment.plan.hasGuests;
      const who = { user, name: user, role, ...reachOf(user), guest };
      made.open({ ...who, expiresAt: endsAt, tab: pk, ...resume }, deployment.freshId());
    });
  }

  #hear(session: Session, link: number, text: string): void {
    if (session !== this.session || !this.#wanted.has(link)) return;
    this.#happen((now) => session.heard(link, text, now));
    if (++this.#heard % 16 === 0 && session.epoch !== undefined) this.check();
  }

  #part(session: Session, link: number, why: Parting): void {
    if (session === this.session && this.#wanted.has(link)) {
      this.#happen((now) => session.parted(link, why, now));
    }
  }

  #happen(what: (now: number) => void): void {
    what(this.#now);
    const { link } = this.session;
    if (link.is === "ended" && this.barredBy === undefined) {
      this.barredBy = link.code;
      this.deployment.trace(() => `  the page of ${this.user}/${this.tab} ends with ${link.code}`);
      if (link.code === closeCodes.replaced)
        this.deployment.breach(14, `the page of ${this.user}/${this.tab} ends for one of its own sockets`);
    }
    this.#waking.set();
  }

  get #now(): number {
    return this.deployment.clock.now + this.skewMs;
  }
}

function readUp(text: string): { t?: unknown; f?: unknown; n?: unknown; d?: Json } {
  try {
    return (JSON.parse(text) as { t?: unknown } | null) ?? {};
  } catch {
    return {};
  }
}
