import { expect } from "vitest";
import { chat } from "../../src/features/chat/decide";
import { presence } from "../../src/features/presence/decide";
import type { Role } from "../../src/protocol/codes";
import type { Json } from "../../src/protocol/messages";
import { defineKind, type Kind } from "../../src/room/api/kind";
import type { JoinTicket } from "../../src/room/inbound/join-ticket";
import type { EffectCall } from "../../src/room/ports";
import { type HttpActionResult, Room } from "../../src/room/room";
import type { RoomSettings } from "../../src/room/settings";
import type { WordFilter } from "../../src/text/word-filter";
import { MemoryPeer, MemoryRuntime } from "./memory-runtime";
import { labFeature } from "./room-features";
import { settings } from "./room-settings";
import { RoomTab } from "./room-tab";

export { settings };

export const HOUR_MS = 3_600_000;
export const ROOM_NAME = { kind: "main", id: "hall" };

/** People, talk, and the lab. */
export function labKind(options: Parameters<typeof labFeature>[0] = {}, keepMs?: number): Kind {
  return defineKind({
    name: "main",
    features: [presence, chat, labFeature(options)],
    ...(keepMs === undefined ? {} : { keepMs }),
  });
}

export interface TabOptions {
  tab?: string;
  name?: string;
  role?: Role;
  epoch?: string;
  since?: number;
  expiresAt?: number;
  token?: string;
  guest?: boolean;
  /** Absent: the token of a host or admin is for every room. */
  allRooms?: false;
  askedAt?: number;
  /** Its address, as the edge passes it. */
  from?: string;
  /** One of a crowd that no test reads: see `MemoryPeer.keepsLastOnly`. */
  keepsLastOnly?: boolean;
}

export interface StageOptions {
  kind?: Kind;
  settings?: Partial<RoomSettings>;
  seed?: number;
  filter?: WordFilter;
}

/** One room in memory, with users at their tabs. Time passes only when a test says so. */
export class RoomStage {
  readonly runtime: MemoryRuntime;
  room!: Room;
  kind: Kind;
  readonly settings: RoomSettings;
  readonly tabs: RoomTab[] = [];
  readonly httpAnswers: { id: string; answer: HttpActionResult }[] = [];
  /** When off, a turn's writes stay pending until the test settles them. */
  isAutoDurable = true;
  /** Tabs say `seen` as a browser does, unless they are among these. */
  readonly deaf = new Set<RoomTab>();
  #ids = 0;

  private constructor(options: StageOptions) {
    this.runtime = new MemoryRuntime(options.seed);
    this.runtime.filter = options.filter;
    this.kind = options.kind ?? labKind();
    this.settings = { ...settings, ...options.settings };
  }

  static async open(options: StageOptions = {}): Promise<RoomStage> {
    const stage = new RoomStage(options);
    await stage.wake();
    return stage;
  }

  get now(): number {
    return this.runtime.now;
  }

  /** A new instance over what is stored, with the sockets that are still open. */
  async wake(): Promise<Room> {
    const sockets = this.#openTabs().map(({ peer }) => ({ peer, note: peer.note }));
    const room = await Room.open(this.runtime.ports, this.kind, ROOM_NAME, this.settings, sockets, this.now);
    this.room = room;
    this.#afterTurn();
    return room;
  }

  /** Memory goes; storage, sockets and their notes stay. Only a room without a timer and with nothing pending can. */
  async sleep(): Promise<Room> {
    this.runtime.makeDurable();
    expect(this.runtime.timerAt, "a room with a timer does not sleep").toBeUndefined();
    return this.wake();
  }

  /** The process dies, and every socket with it; some turns may be durable though no peer was told. */
  async crash(durableTurns = 0): Promise<Room> {
    this.die(durableTurns);
    return this.wake();
  }

  die(durableTurns = 0): void {
    for (const { peer } of this.#openTabs()) peer.state = "gone";
    this.runtime.crash(durableTurns);
  }

  join(user: string, options: TabOptions = {}): RoomTab {
    const tab = new RoomTab(user, options.tab ?? `tab-${user}`.slice(0, 16), this.kind);
    this.tabs.push(tab);
    return this.connect(tab, options);
  }

  /** The same tab again, as the same person and from where it stopped reading, by default. */
  rejoin(tab: RoomTab, options: TabOptions = {}): RoomTab {
    const { epoch, seq, welcomes } = tab.read();
    const { name, role } = welcomes.at(-1)?.you ?? {};
    return this.connect(tab, {
      ...(epoch === undefined ? {} : { epoch, since: seq }),
      ...(name === undefined ? {} : { name }),
      ...(role === undefined ? {} : { role }),
      ...options,
    });
  }

  connect(tab: RoomTab, options: TabOptions): RoomTab {
    const peer = new MemoryPeer(this.runtime, `conn-${String(++this.#ids).padStart(11, "0")}`);
    const {
      role = "player",
      name = tab.user.slice(0, 20),
      expiresAt = this.now + HOUR_MS,
      epoch,
      since,
      token,
      guest = false,
      from,
    } = options;
    const ticket: JoinTicket = {
      conn: peer.id,
      user: tab.user,
      name,
      role,
      guest,
      expiresAt,
      tab: tab.tab,
      ...(epoch === undefined ? {} : { epoch }),
      ...(since === undefined ? {} : { since }),
      ...(token === undefined ? {} : { token }),
      ...(role !== "player" && options.allRooms !== false ? { allRooms: true } : {}),
      ...(options.askedAt === undefined ? {} : { bansCheckedAt: options.askedAt }),
      ...(from === undefined ? {} : { from }),
    };
    peer.keepsLastOnly = options.keepsLastOnly ?? false;
    if (since !== undefined && tab.seq === 0) tab.seq = since;
    tab.connect(peer);
    this.turn(() => this.room.join(peer, ticket, this.now));
    return tab;
  }

  /** The socket closes from its own side. */
  leave(tab: RoomTab): void {
    const { peer } = tab;
    if (peer.state === "gone") return;
    peer.state = "gone";
    this.turn(() => this.room.left(peer.id, peer.note, this.now));
  }

  joinAsGuest(user: string): RoomTab {
    return this.join(user, { guest: true, expiresAt: this.now + 10 ** 12 });
  }

  /** Any text, as it comes in. */
  send(tab: RoomTab, message: unknown): void {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    this.turn(() => this.room.receive(tab.peer.id, text, this.now));
  }

  /** Sends an action and returns its id. */
  do(tab: RoomTab, f: string, a: string, d: Json = {}, id = `op${++this.#ids}`): string {
    this.send(tab, { t: "do", id, f, a, d });
    return id;
  }

  say(tab: RoomTab, text: string, id?: string): string {
    return this.do(tab, "chat", "say", { text }, id);
  }

  signal(tab: RoomTab, f: string, n: string, d: Json = {}): void {
    this.send(tab, { t: "sig", f, n, d });
  }

  verify(tab: RoomTab): void {
    this.send(tab, { t: "verify" });
  }

  /** As a browser does: it repeats the newest mark. */
  prove(tab: RoomTab): void {
    const m = tab.peer.mark;
    tab.repeated = m;
    tab.seenReportedBytes = tab.peer.bytes;
    this.send(tab, { t: "seen", seq: tab.newestSeq, ...(m === undefined ? {} : { m }) });
  }

  /** As a client of before, which knows of no marks. */
  sendSeen(tab: RoomTab): void {
    const seq = tab.newestSeq;
    tab.seenReportedBytes = tab.peer.bytes;
    this.send(tab, { t: "seen", seq });
  }

  /** Over HTTP. The answer counts as seen once it is out of the gate. */
  post(user: string, f: string, a: string, d: Json = {}, id = `op${++this.#ids}`): HttpActionResult {
    const caller = { user, name: user, role: "host" as const };
    const answer = this.turn(() => this.room.act({ id, f, a, d }, caller, this.now));
    this.runtime.release(() => this.httpAnswers.push({ id, answer }));
    return answer;
  }

  /** An effect's handler has succeeded or failed. The living instance gets the result, whichever instance made the call. */
  answerEffect({ call }: EffectCall, answer: Json): void {
    this.turn(() => this.room.effectAnswered(call, { ok: true, answer }, this.now));
  }

  failEffect({ call }: EffectCall): void {
    this.turn(() => this.room.effectAnswered(call, { ok: false }, this.now));
  }

  /** Time passes and due events happen: the frame's timer, the alarm. */
  advance(ms: number): void {
    const until = this.now + ms;
    for (let happened = 0; ; happened++) {
      if (happened > 10_000 + ms) throw new Error(`The room is never done (seed ${this.runtime.seed}).`);
      const { timerAt, alarmAt } = this.runtime;
      const next = Math.min(timerAt ?? Number.POSITIVE_INFINITY, alarmAt ?? Number.POSITIVE_INFINITY);
      if (next > until || this.room.isOver) break;
      this.runtime.now = Math.max(this.now, next);
      if (next === timerAt) this.fireTimer();
      else this.fireAlarm();
    }
    this.runtime.now = until;
  }

  fireTimer(): void {
    this.runtime.timerAt = undefined;
    this.turn(() => this.room.tick(this.now));
  }

  fireAlarm(): void {
    this.turn(() => {
      this.runtime.beginAlarm();
      this.room.alarm(this.now);
    });
  }

  turn<T>(work: () => T): T {
    const done = this.runtime.turn(work);
    this.#afterTurn();
    return done;
  }

  makeDurable(): void {
    this.runtime.makeDurable();
    this.#sendDueSeen();
  }

  /** No tab has noted a breach, and nothing was reported. */
  expectNoViolations(): void {
    for (const tab of this.tabs.filter(({ peer }) => !peer.keepsLastOnly)) {
      expect(tab.violations, `${tab.user} of seed ${this.runtime.seed}`).toEqual([]);
    }
    expect(
      this.runtime.reports.map(({ error }) => String(error)),
      `seed ${this.runtime.seed}`,
    ).toEqual([]);
    expect(this.runtime.brokenCount, `seed ${this.runtime.seed}`).toBe(0);
  }

  #afterTurn(): void {
    this.#checkAlarm();
    if (this.isAutoDurable) this.makeDurable();
  }

  /** A room with anything stored always has an alarm, at most `idleMs` ahead. */
  #checkAlarm(): void {
    if (this.runtime.isDying || this.runtime.value("room") === undefined) return;
    const { alarmAt, seed } = this.runtime;
    if (alarmAt === null) throw new Error(`The room has stored data and no alarm (seed ${seed}).`);
    if (alarmAt > this.now + this.settings.idleMs)
      throw new Error(`The alarm is too far ahead (seed ${seed}).`);
  }

  /** At each mark, and every 200 KiB, where a browser has to at 256. */
  #sendDueSeen(): void {
    for (const tab of this.#openTabs()) {
      if (this.deaf.has(tab)) continue;
      if (tab.peer.mark !== tab.repeated || tab.peer.bytes - tab.seenReportedBytes > 200 * 1024)
        this.prove(tab);
    }
  }

  #openTabs(): RoomTab[] {
    return this.tabs.filter((tab) => tab.peer.state === "open");
  }
}
