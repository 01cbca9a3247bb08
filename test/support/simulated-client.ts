import type { Outcome } from "../../src/client/session/outcome";
import { Session } from "../../src/client/session/session";
import type { SessionListener } from "../../src/client/session/session-listener";
import type { FeatureTable } from "../../src/client/session/slices";
import type { CloseInfo } from "../../src/client/session/transport";
import type { NumberedEvent } from "../../src/protocol/messages";
import type { SimulatedRoom } from "./simulated-room";
import { SimulatedSocket } from "./simulated-socket";

export interface SimulatedClientOptions {
  user: string;
  tab?: string;
  /** Of its operation ids. */
  prefix?: string;
  features?: FeatureTable;
}

/** A user at a tab: the real session, on a clock of its own, over sockets that break. */
export class SimulatedClient {
  readonly session: Session;
  readonly user: string;
  readonly tab: string;
  readonly events: NumberedEvent[] = [];
  readonly outcomes = new Map<string, Outcome[]>();
  readonly problems: string[] = [];
  /** How often the state came whole, and how often a comparison with the room was made, and differed. */
  fresh = 0;
  checked = 0;
  differed = 0;
  /** When each of its sockets was opened. */
  readonly openedAt: number[] = [];
  readonly sockets = new Map<number, SimulatedSocket>();
  /** This machine's clock is not the room's. */
  readonly #skewMs: number;
  #wakesAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly room: SimulatedRoom,
    {
      user,
      tab = `tab of ${user}`,
      prefix = `${user}-${tab}`,
      features = room.features,
    }: SimulatedClientOptions,
  ) {
    this.user = user;
    this.tab = tab;
    this.#skewMs = room.random.below(1_000_000) - 500_000;
    this.session = new Session(
      {
        open: (link) => this.#open(link),
        send: (link, text) => this.sockets.get(link)?.say(text),
        close: (link) => {
          this.sockets.get(link)?.hangUp();
          this.sockets.delete(link);
        },
      },
      this.#hearing(),
      () => room.random.next(),
      { features, idPrefix: prefix.slice(0, 40), canRenew: false },
    );
    this.happen((now) => this.session.start(now));
  }

  /** Sends an action; returns the id of its outcome. */
  do(f: string, a: string, d: unknown, id?: string): string {
    let sentId = "";
    this.happen((now) => {
      sentId = this.session.do({ f, a, d, ...(id === undefined ? {} : { id }) }, now);
    });
    return sentId;
  }

  say(text: string, id?: string): string {
    return this.do("chat", "say", { text }, id);
  }

  verify(): void {
    this.happen((now) => this.session.verify(now));
  }

  leave(): void {
    this.happen(() => this.session.stop());
  }

  /** The one socket that is in use. */
  get socket(): SimulatedSocket | undefined {
    return [...this.sockets.values()].at(-1);
  }

  outcome(id: string): Outcome | undefined {
    return this.outcomes.get(id)?.[0];
  }

  heard(link: number, text: string): void {
    if (this.sockets.has(link)) this.happen((now) => this.session.onMessage(link, text, now));
  }

  parted(socket: SimulatedSocket, why: CloseInfo): void {
    if (this.sockets.get(socket.link) !== socket) return;
    this.happen((now) => this.session.onClosed(socket.link, why, now));
  }

  happen(what: (now: number) => void): void {
    what(this.#now);
    this.#sleepOn();
  }

  /** One timer at a time: one that fires too early only checks again, which is cheaper than a new one each time. */
  #sleepOn(): void {
    const wakeAt = Math.max(this.room.now, this.session.wakeAt(this.#now) - this.#skewMs);
    if (wakeAt >= this.#wakesAt) return;
    this.#wakesAt = wakeAt;
    this.room.at(wakeAt, () => {
      if (this.#wakesAt !== wakeAt) return;
      this.#wakesAt = Number.POSITIVE_INFINITY;
      if (this.session.wakeAt(this.#now) <= this.#now) this.happen((now) => this.session.tick(now));
      else this.#sleepOn();
    });
  }

  get #now(): number {
    return this.room.now + this.#skewMs;
  }

  #open(link: number): void {
    const socket = new SimulatedSocket(this.room, this, link, this.room.freshId());
    this.sockets.set(link, socket);
    this.room.at(this.room.now, () => {
      if (this.sockets.get(link) !== socket) return;
      this.happen((now) => this.session.onToken(link, undefined, now));
      this.openedAt.push(this.room.now);
      const { epoch, since } = this.session.resumePoint(link);
      socket.open({
        conn: socket.id,
        user: this.user,
        name: this.user,
        role: "player",
        guest: false,
        expiresAt: this.room.now + 86_400_000,
        tab: this.tab,
        ...(epoch === undefined ? {} : { epoch, since: Number(since) }),
      });
    });
  }

  #hearing(): SessionListener {
    return {
      onEvent: (event) => void this.events.push(event),
      onSignal: () => {},
      onSettled: (id, outcome) => {
        this.outcomes.set(id, [...(this.outcomes.get(id) ?? []), outcome]);
      },
      onFresh: () => {
        this.fresh++;
        // The events before it were not sent: the history begins here.
        this.events.length = 0;
      },
      onVerified: ({ differing }) => {
        this.checked++;
        if (differing.length > 0) this.differed++;
      },
      onProblem: (what, error) => void this.problems.push(`${what}: ${String(error)}`),
    };
  }
}
