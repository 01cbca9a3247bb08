import { closeCodes } from "../protocol/codes";
import type { Json } from "../protocol/messages";
import { protocolVersion } from "../protocol/version";
import { ActionError } from "./action-error";
import { createMonotonicClock } from "./browser/monotonic-clock";
import { openSocket, type PartySocket } from "./browser/open-socket";
import { watchPageLifecycle } from "./browser/page-lifecycle";
import { findRoomNameProblem, resolveOrigin } from "./browser/room-url";
import { errorToCloseInfo, TokenProvider } from "./browser/token-provider";
import { openTokenStore, type TokenStore } from "./browser/token-store";
import { builtInFeatures } from "./built-in";
import { freshId } from "./fresh-id";
import type { DoOptions, JoinOptions } from "./join-options";
import { Listeners } from "./listeners";
import { logError } from "./log-error";
import type { RoomEvents } from "./room-events";
import { type AnyPredictions, OptimisticStates } from "./session/optimistic";
import { IN_FLIGHT, type Outcome, type Rejection } from "./session/outcome";
import type { PendingAction } from "./session/pending";
import { Session, type Status, type You } from "./session/session";
import type { SessionListener } from "./session/session-listener";
import type { FeatureTable, States } from "./session/slices";
import { NEVER } from "./session/time";
import type { Verification } from "./session/verification";
import type {
  ActionData,
  ActionName,
  ActionResult,
  AnyKind,
  BuiltInKinds,
  DataArgs,
  FeatureName,
  SignalData,
  SignalName,
  StatesOf,
  Topic,
  TopicPayload,
} from "./typed-kind";
import { waitFor } from "./wait-for";

export { ActionError } from "./action-error";
export type { Credentials } from "./browser/token-provider";
export type { TokenStore } from "./browser/token-store";
export type * from "./join-options";
export type * from "./room-events";
export type { ActionErrorCode } from "./session/outcome";
export type { PendingAction } from "./session/pending";
export type { Status, You } from "./session/session";
export type { FeatureState } from "./session/slices";
export type { Verification } from "./session/verification";
export type * from "./typed-kind";

/** Joins a room of a built-in kind, or with `joinRoom<typeof quizshow>` a room of your own kind. */
export function joinRoom<K extends AnyKind = never>(options: JoinOptions<K>): RoomClient<K>;
export function joinRoom<N extends keyof BuiltInKinds>(
  options: JoinOptions<BuiltInKinds[N]> & { kind: N },
): RoomClient<BuiltInKinds[N]>;
export function joinRoom<K extends AnyKind>(options: JoinOptions<K>): RoomClient<K> {
  const room = new RoomClient<K>(options);
  room.join();
  return room;
}

/** The longest delay that setTimeout accepts; it treats a longer one as zero. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** One visit to a room: a live copy of its state, and a way to act in it. The constructor connects to nothing; `join` does. */
export class RoomClient<K extends AnyKind> {
  readonly kind: K["name"];
  readonly room: string;
  readonly #options: JoinOptions<K>;
  readonly #session: Session;
  readonly #optimistic: OptimisticStates;
  readonly #listeners = new Listeners();
  readonly #now = createMonotonicClock(
    () => Date.now(),
    () => performance.now(),
  );
  readonly #sockets = new Map<number, PartySocket | undefined>();
  readonly #promises = new Map<string, { resolve(done: unknown): void; reject(error: ActionError): void }>();
  readonly #verifications: ((verdict: Verification) => void)[] = [];
  /** The state of an empty room, which a page shows until the first welcome. */
  readonly initial: StatesOf<K>;
  readonly #tab: string;
  /** Kept for the life of this object, so that a user who leaves and joins again is the same guest. */
  readonly #store: TokenStore;
  #visit: { origin: string; pass: TokenProvider; unwatch(): void } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #status: { told: string; shown: Status } | undefined;
  #states: States | undefined;
  #notifications: (() => void)[] = [];
  #runDepth = 0;
  #counts = { connections: 0, fresh: 0, checked: 0, differed: 0 };

  constructor(options: JoinOptions<K>) {
    this.#options = options;
    this.kind = options.kind;
    this.room = options.room;
    this.#tab = options.tab ?? freshId();
    this.#store = options.storage ?? openTokenStore();
    const features: FeatureTable = { ...builtInFeatures, ...(options.features as FeatureTable | undefined) };
    this.#session = new Session(
      {
        open: (link, needsNewToken) => this.#connect(link, needsNewToken),
        send: (link, text) => this.#sockets.get(link)?.send(text),
        close: (link) => this.#closeSocket(link),
      },
      this.#createListener(),
      Math.random,
      { features, idPrefix: freshId().slice(0, 12), canRenew: options.token === undefined },
    );
    this.initial = this.confirmed;
    this.#optimistic = new OptimisticStates(
      this.#session.slices,
      (options.optimistic ?? {}) as AnyPredictions,
      (feature, error) => logError(new Error(`A prediction of ${feature} failed`, { cause: error })),
    );
  }

  // ---- what is known

  /** The live state of each feature. A state that has not changed is the same object as before. */
  get state(): StatesOf<K> {
    this.#states ??= this.#optimistic.compute(this.#session.pending, this.#session.you, this.#session.seq);
    return this.#states as StatesOf<K>;
  }

  /** The same without the predicted effect of pending actions. */
  get confirmed(): StatesOf<K> {
    return this.#session.states as StatesOf<K>;
  }

  /** The private view that each feature gives this user. */
  get mine(): { readonly [N in FeatureName<K>]?: Json } {
    return this.#session.mine as { readonly [N in FeatureName<K>]?: Json };
  }

  /** This user in the room; undefined before the first welcome. */
  get you(): You | undefined {
    return this.#session.you;
  }

  /** The same object until the status changes. Its times are in `Date.now()`'s clock. */
  get status(): Status {
    const { connection, outdated } = this.#session;
    const status: Status = { ...connection, outdated };
    const key = JSON.stringify(status);
    if (this.#status?.told !== key) {
      if (status.is === "waiting") status.retryAt += Date.now() - this.#now();
      this.#status = { told: key, shown: status };
    }
    return this.#status.shown;
  }

  /** This user's actions that the room has not answered, in order. */
  get pending(): readonly PendingAction[] {
    return this.#session.pending;
  }

  /** The room's clock, synchronised. */
  readonly clock = {
    now: (): number => this.#session.clock.roomTime(this.#now()),
    /** The largest possible error of `now`. */
    errorMs: (): number => this.#session.clock.errorMs,
    /** Converts a time of the room's clock to one of this machine's. */
    toLocal: (at: number): number => at - this.#session.clock.roomTime(this.#now()) + Date.now(),
  };

  /** The number of the newest event in `confirmed`, and the epoch it belongs to. */
  get position(): { epoch: string | undefined; seq: number } {
    return { epoch: this.#session.epoch, seq: this.#session.seq };
  }

  /** Counts of this visit: connections, full states received, comparisons with the room, and comparisons that differed. */
  get counts(): { connections: number; fresh: number; checked: number; differed: number } {
    return { ...this.#counts };
  }

  // ---- what the user does

  /** Starts the visit, also after `leave` or after it has ended. */
  join(): void {
    this.#run((now) => {
      this.#visit ??= this.#openVisit();
      this.#session.start(now);
    });
  }

  /** Ends the visit. The state stays as it was; `join` takes it up again. */
  leave(): void {
    // Before the session stops, because a status listener may call `join` at once.
    this.#visit?.unwatch();
    this.#visit = undefined;
    this.#run(() => this.#session.stop());
  }

  /** Connects now instead of waiting. A connection that is live is tested. */
  retryNow(): void {
    this.#run((now) => this.#session.reconnect(now));
  }

  /**
   * Asks the room to do something. Resolves with the event that the action made, or with the answer if it made none. Rejects
   * with an `ActionError`: the room's rejection, `timeout` or `unknown_outcome`. Without a connection, the action waits.
   */
  do<N extends FeatureName<K>, A extends ActionName<K, N>>(
    feature: N,
    action: A,
    ...[data, options]: [...DataArgs<ActionData<K, N, A>>, options?: DoOptions]
  ): Promise<ActionResult<K, N>> {
    const request = { ...(options as DoOptions | undefined), f: feature, a: action, d: data };
    const done = new Promise<unknown>((resolve, reject) => {
      this.#run((now) => {
        const { id } = request;
        // The outcome of a second action with this id could not be told from that of the first.
        if (id !== undefined && this.#promises.has(id))
          return this.#notify(() => this.#reject(id, IN_FLIGHT, reject));
        this.#promises.set(this.#session.do(request, now), { resolve, reject });
      });
    });
    // A caller may ignore the promise and use `on("refused")`; a rejection must not count as unhandled.
    done.catch(() => {});
    return done as Promise<ActionResult<K, N>>;
  }

  /** Sends a signal: something that is only true now. The newest wins. It may be dropped, and the room does not answer. */
  signal<N extends FeatureName<K>, G extends SignalName<K, N>>(
    feature: N,
    name: G,
    ...[data]: DataArgs<SignalData<K, N, G>>
  ): void {
    this.#run((now) => this.#session.signal(feature, name, (data ?? {}) as Json, now));
  }

  /** Compares the state with the room's now. */
  verify(): Promise<Verification> {
    let result: Verification | undefined;
    this.#verifications.push((verdict) => {
      result = verdict;
    });
    const verdict = waitFor(this, this.#session, () => result);
    this.#run((now) => this.#session.verify(now));
    return verdict;
  }

  /** Resolves once the state is up to date with the room. Rejects if the visit ends first. */
  joined(): Promise<this> {
    return waitFor(this, this.#session, () => (this.#session.isCaughtUp ? this : undefined));
  }

  // ---- listening

  /** Calls back after each change. Returns a function that stops it. */
  subscribe(listener: () => void): () => void {
    return this.#listeners.add("change", listener);
  }

  /** Listens to one topic: `status`, `event`, `chat.said`, `chat.typing` … Returns a function that stops it. */
  on<T extends keyof RoomEvents>(topic: T, listener: (news: RoomEvents[T]) => void): () => void;
  on<T extends Topic<K>>(topic: T, listener: (news: TopicPayload<K, T>) => void): () => void;
  on(topic: string, listener: (news: never) => void): () => void {
    return this.#listeners.add(topic, listener);
  }

  // ---- inside

  #openVisit() {
    const { host } = this.#options;
    if (typeof (this.#options.WebSocket ?? globalThis.WebSocket) !== "function")
      throw new TypeError("joinRoom needs a `WebSocket` here: that of `ws`, for one.");
    const origin = resolveOrigin(host);
    const pass = new TokenProvider(this.#options, origin, this.#store);
    const unwatch = watchPageLifecycle(
      () => this.#run((now) => this.#session.reconnect(now, false)),
      () => this.#run((now) => this.#session.probe(now)),
    );
    return { origin, pass, unwatch };
  }

  /** Runs everything that touches the session: reads the clock, does the work, then sets the timer and calls listeners. */
  #run(work: (now: number) => void): void {
    this.#runDepth++;
    try {
      work(this.#now());
    } finally {
      // Also after an error: without a timer the session would stand still.
      if (--this.#runDepth === 0) this.#afterRun();
    }
  }

  #afterRun(): void {
    this.#states = undefined;
    const before = this.#status?.shown;
    const after = this.status;
    if (before !== after) this.#notify(() => this.#listeners.emit("status", after));
    // A new timer after each message: browsers slow a chain of timers in a hidden tab to one a minute, too slow for pings.
    clearTimeout(this.#timer);
    const now = this.#now();
    const wakeAt = this.#session.wakeAt(now);
    if (wakeAt !== NEVER) {
      const afterMs = Math.min(MAX_TIMER_MS, Math.max(0, wakeAt - now));
      this.#timer = setTimeout(() => this.#run((then) => this.#session.tick(then)), afterMs);
    }
    for (const news of this.#notifications.splice(0)) news();
    this.#listeners.emit("change", undefined);
  }

  #notify(notification: () => void): void {
    this.#notifications.push(notification);
  }

  #createListener(): SessionListener {
    const call = (topic: string, news: unknown) => this.#notify(() => this.#listeners.emit(topic, news));
    return {
      onEvent: (event) => {
        call("event", event);
        call(`${event.f}.${event.n}`, event);
      },
      onSignal: (signal) => {
        call("signal", signal);
        call(`${signal.f}.${signal.n}`, signal);
      },
      onSettled: (id, outcome) => this.#notify(() => this.#settle(id, outcome)),
      onFresh: () => {
        this.#counts.fresh++;
        call("fresh", undefined);
      },
      onVerified: (verdict) => {
        this.#counts.checked++;
        for (const hear of this.#verifications.splice(0)) hear(verdict);
        if (verdict.differing.length === 0) return;
        this.#counts.differed++;
        call("differs", verdict);
      },
      onProblem: (what, error) => this.#notify(() => logError(new Error(what, { cause: error }))),
    };
  }

  #settle(id: string, outcome: Outcome): void {
    const waiting = this.#promises.get(id);
    this.#promises.delete(id);
    switch (outcome.is) {
      case "event":
        return waiting?.resolve(outcome.event);
      case "answer":
        return waiting?.resolve({ seq: outcome.seq, answer: outcome.d });
      case "refused":
        return this.#reject(id, outcome.refusal, waiting?.reject);
    }
  }

  #reject(id: string, rejection: Rejection, reject?: (error: ActionError) => void): void {
    const error = new ActionError(id, rejection);
    reject?.(error);
    this.#listeners.emit("refused", error);
  }

  #connect(link: number, needsNewToken: boolean): void {
    const visit = this.#visit;
    if (!visit) return;
    const problem = findRoomNameProblem(this.kind, this.room);
    if (problem)
      return this.#session.onClosed(link, { code: closeCodes.notFound, reason: problem }, this.#now());
    this.#sockets.set(link, undefined);
    visit.pass.get(needsNewToken).then(
      ({ token, endsAt }) => {
        if (!this.#sockets.has(link)) return;
        this.#sockets.set(link, this.#openSocket(link, visit.origin, token));
        this.#run((now) => this.#session.onToken(link, endsAt, now));
      },
      (error) => {
        if (!this.#sockets.has(link)) return;
        this.#run((now) => this.#session.onClosed(link, errorToCloseInfo(error), now));
      },
    );
  }

  #openSocket(link: number, origin: string, token: string): PartySocket {
    const base = `${origin.replace("http", "ws")}/parties/${this.kind}/${this.room}?`;
    const getUrl = () => {
      const resume = this.#session.resumePoint(link);
      return base + new URLSearchParams({ _pk: this.#tab, token, v: String(protocolVersion), ...resume });
    };
    const ifCurrent = (work: (now: number) => void) => this.#sockets.get(link) === socket && this.#run(work);
    const socket = openSocket(
      getUrl,
      this.#options.WebSocket,
      () => this.#counts.connections++,
      (text) => ifCurrent((now) => this.#session.onMessage(link, text, now)),
      (code, reason) => ifCurrent((now) => this.#session.onClosed(link, { code, reason }, now)),
    );
    return socket;
  }

  #closeSocket(link: number): void {
    const socket = this.#sockets.get(link);
    this.#sockets.delete(link);
    socket?.close();
  }
}
