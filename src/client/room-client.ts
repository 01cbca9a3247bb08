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

/** Joins a room of a kind that comes with Tallyroom, or with `joinRoom<typeof quizshow>` one of one's own. */
export function joinRoom<K extends AnyKind = never>(options: JoinOptions<K>): RoomClient<K>;
export function joinRoom<N extends keyof BuiltInKinds>(
  options: JoinOptions<BuiltInKinds[N]> & { kind: N },
): RoomClient<BuiltInKinds[N]>;
export function joinRoom<K extends AnyKind>(options: JoinOptions<K>): RoomClient<K> {
  const room = new RoomClient<K>(options);
  room.join();
  return room;
}

/** setTimeout takes more for nothing at all. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** One visit to a room: a live copy of its state, and a way to act in it. Making one does nothing; `join` does. */
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
  /** What a page shows before it knows anything. */
  readonly initial: StatesOf<K>;
  readonly #tab: string;
  /** Whoever leaves and joins again is the same guest. */
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
        open: (link, anew) => this.#connect(link, anew),
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

  /** Every feature's state, live. What has not changed is the same object as before. */
  get state(): StatesOf<K> {
    this.#states ??= this.#optimistic.compute(this.#session.pending, this.#session.you, this.#session.seq);
    return this.#states as StatesOf<K>;
  }

  /** The same without one's own actions that are still under way. */
  get confirmed(): StatesOf<K> {
    return this.#session.states as StatesOf<K>;
  }

  /** What each feature shows to you alone. */
  get mine(): { readonly [N in FeatureName<K>]?: Json } {
    return this.#session.mine as { readonly [N in FeatureName<K>]?: Json };
  }

  /** Who you are here; unknown before the first welcome. */
  get you(): You | undefined {
    return this.#session.you;
  }

  /** The same object until it really is another. Times in it are this machine's, as `Date.now()` has them. */
  get status(): Status {
    const { connection: link, outdated } = this.#session;
    const status: Status = { ...link, outdated };
    const key = JSON.stringify(status);
    if (this.#status?.told !== key) {
      if (status.is === "waiting") status.retryAt += Date.now() - this.#now();
      this.#status = { told: key, shown: status };
    }
    return this.#status.shown;
  }

  /** One's own actions that the room has not answered, in order. */
  get pending(): readonly PendingAction[] {
    return this.#session.pending;
  }

  /** The room's clock, as well as it is known here. */
  readonly clock = {
    now: (): number => this.#session.clock.roomTime(this.#now()),
    /** At most so far off. */
    errorMs: (): number => this.#session.clock.errorMs,
    /** When something dated by the room's clock is, on this machine's. */
    toLocal: (at: number): number => at - this.#session.clock.roomTime(this.#now()) + Date.now(),
  };

  /** The number of the newest event in `confirmed`, and the life of the room that it belongs to. */
  get position(): { epoch: string | undefined; seq: number } {
    return { epoch: this.#session.epoch, seq: this.#session.seq };
  }

  /** How this visit has gone: connections made, states taken anew, comparisons with the room, and how many of them differed. */
  get counts(): { connections: number; fresh: number; checked: number; differed: number } {
    return { ...this.#counts };
  }

  // ---- what the person does

  /** Begins, or begins again after `leave` or an end. */
  join(): void {
    this.#run((now) => {
      this.#visit ??= this.#openVisit();
      this.#session.start(now);
    });
  }

  /** Ends the visit. The state stays as it was; `join` takes it up again. */
  leave(): void {
    // First, for whoever hears of it may join again at once.
    this.#visit?.unwatch();
    this.#visit = undefined;
    this.#run(() => this.#session.stop());
  }

  /** Tries to connect now rather than later, and makes sure of a connection that seems to be there. */
  retryNow(): void {
    this.#run((now) => this.#session.reconnect(now));
  }

  /**
   * Asks the room to do something. Resolves with the event that came of it (or with the answer, where it makes none); rejects
   * with an `ActionError`: the room's refusal, `timeout` or `unknown_outcome`. Away, it waits for the room to come back.
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
        // Nothing is to be learnt of the second that would not be taken for the first.
        if (id !== undefined && this.#promises.has(id))
          return this.#notify(() => this.#reject(id, IN_FLIGHT, reject));
        this.#promises.set(this.#session.do(request, now), { resolve, reject });
      });
    });
    // Whoever does not look at the promise hears of a refusal by `on("refused")`; it is no crash of their program.
    done.catch(() => {});
    return done as Promise<ActionResult<K, N>>;
  }

  /** Says what is only true now. The newest wins, and it may be dropped: nobody answers. */
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

  /** Resolves once the room's state is here, with all that was missed; rejects if the visit ends instead. */
  joined(): Promise<this> {
    return waitFor(this, this.#session, () => (this.#session.isCaughtUp ? this : undefined));
  }

  // ---- listening

  /** Calls back after whatever has changed. */
  subscribe(listener: () => void): () => void {
    return this.#listeners.add("change", listener);
  }

  /** Listens to one kind of news: `status`, `event`, `chat.said`, `chat.typing` … Answers what ends it. */
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

  /** Whatever happens, happens here: with the time, the timer set anew, and everybody told afterwards. */
  #run(work: (now: number) => void): void {
    this.#runDepth++;
    try {
      work(this.#now());
    } finally {
      // Whatever went wrong, time goes on.
      if (--this.#runDepth === 0) this.#afterRun();
    }
  }

  #afterRun(): void {
    this.#states = undefined;
    const before = this.#status?.shown;
    const after = this.status;
    if (before !== after) this.#notify(() => this.#listeners.emit("status", after));
    // Set anew each time: a chain of timers alone would be slowed to one a minute in a hidden tab, and miss its pings.
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
