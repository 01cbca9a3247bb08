import { closeCodes } from "../protocol/codes";
import { PING_MS } from "../protocol/limits";
import { type Action, Actions } from "./actions";
import { Attendance } from "./attendance";
import type { Connection } from "./connection";
import { Conversation } from "./conversation";
import type { Speaker } from "./feature";
import type { Hello } from "./hello";
import { Kernel, type Parts } from "./kernel";
import type { Kind } from "./kind";
import type { Peer, SocketNote, World } from "./ports";
import type { Refused } from "./refusals";
import { graceAfterCut, restore } from "./restore";
import type { RoomSettings } from "./settings";
import { Timekeeping } from "./timekeeping";
import { Welcomes } from "./welcome";

export interface RoomSummary {
  kind: string;
  id: string;
  epoch: string;
  seq: number;
  users: number;
  connections: number;
  createdAt: number;
}
export type HttpAnswer = { ok: true; seq?: number; d?: unknown } | { ok: false; refused: Refused };
export type Sockets = Iterable<{ peer: Peer; note: SocketNote | undefined }>;

/** One room. Every call says what time it is, none of them waits. */
export class Room {
  readonly #kernel: Kernel;
  readonly #actions: Actions;
  readonly #attendance: Attendance;
  readonly #conversation: Conversation;
  readonly #time: Timekeeping;
  readonly #welcomes: Welcomes;
  #reapedAt = 0;
  #isOver = false;

  static async open(
    world: World,
    kind: Kind,
    name: { kind: string; id: string },
    settings: RoomSettings,
    sockets: Sockets,
    now: number,
  ): Promise<Room> {
    return new Room(await restore(world, kind, name, settings, now), sockets, now);
  }

  private constructor(
    private readonly parts: Parts,
    sockets: Sockets,
    now: number,
  ) {
    this.#kernel = new Kernel(parts, (connection) => this.#gone(connection));
    this.#actions = new Actions(this.#kernel);
    this.#welcomes = new Welcomes(this.#kernel, this.#actions.rates);
    this.#conversation = new Conversation(this.#kernel, this.#actions);
    this.#attendance = new Attendance(this.#kernel, this.#welcomes, (connection, text) =>
      this.#conversation.hear(connection, text),
    );
    this.#time = new Timekeeping(this.#kernel);
    this.#kernel.clock(now);
    for (const { peer, note } of sockets) this.#attendance.adopt(peer, note);
    const isHere = (user: string) => this.#kernel.delivery.of(user).size > 0;
    for (const member of graceAfterCut(parts, isHere, this.#kernel.now)) this.#attendance.change(member);
    this.#kernel.flush();
    if (this.exists) this.#time.rearm();
  }

  /** Whether anything of it is stored. */
  get exists(): boolean {
    return this.#kernel.memory.n > 0 && !this.#isOver;
  }

  /** It was cleaned up or closed: whoever comes next needs a new instance. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get counts(): { commits: number; sends: number; encodings: number } {
    const { commits, delivery } = this.#kernel;
    return { commits, sends: delivery.sent, encodings: this.#welcomes.encodings };
  }

  /** A socket that the edge let through. */
  join(peer: Peer, hello: Hello, now: number): void {
    this.#reap(this.#kernel.clock(now));
    this.#attendance.join(peer, hello);
  }

  /** A socket is gone, from its side or the platform's; `note` is what it kept of itself. */
  left(id: string, note: SocketNote | undefined, now: number): void {
    this.#kernel.clock(now);
    this.#attendance.left(id, note);
  }

  /** What a socket said. */
  receive(id: string, text: unknown, now: number): void {
    const kernel = this.#kernel;
    const connection = kernel.delivery.get(id);
    if (!connection || connection.isClosed) return;
    kernel.clock(now);
    this.#conversation.hear(connection, text);
  }

  /** An action over HTTP, in the room's name. The answer may leave once this returns. */
  act(action: Action, caller: Omit<Speaker, "forRoom">, now: number): HttpAnswer {
    const kernel = this.#kernel;
    kernel.clock(now);
    const answer = this.#actions.act(action, { ...caller, forRoom: true }, `\0${caller.user}`);
    kernel.flush();
    if (!answer.ok) return answer;
    const { seq, answer: d } = answer;
    return { ok: true, ...(seq === undefined ? { d: d ?? null } : { seq }) };
  }

  summary(now: number): RoomSummary {
    this.#kernel.clock(now);
    this.#kernel.flush();
    const { memory, delivery } = this.#kernel;
    const { epoch, seq, createdAt, members } = memory;
    return { ...this.parts.name, epoch, seq, users: members.size, connections: delivery.size, createdAt };
  }

  /** The frame's timer. */
  tick(now: number): void {
    this.#kernel.clock(now);
    this.#kernel.tick();
    this.#reap(this.#kernel.now);
  }

  /** The alarm. Whatever it finds, it leaves with another one set, or with nothing stored. */
  alarm(now: number): void {
    const kernel = this.#kernel;
    kernel.clock(now);
    this.parts.wheel.rang();
    try {
      this.#time.runDue();
      this.#attendance.sayGoodbye();
      kernel.delivery.reap(kernel.now, this.parts.clock.ahead);
      this.#actions.sweep();
      this.parts.log.trim(kernel.now);
      kernel.flush();
      if (this.exists && this.#time.isForgotten()) this.#forget();
    } finally {
      if (this.exists) this.#time.rearm();
    }
  }

  /** Closed for good: everybody is told, and nothing of it stays. */
  end(now: number): void {
    this.#kernel.clock(now);
    this.#kernel.flush();
    for (const connection of [...this.#kernel.delivery.all]) {
      this.#kernel.delivery.bye(connection, closeCodes.roomClosed, "This room has been closed.");
    }
    this.#forget();
  }

  #gone(connection: Connection): void {
    this.#actions.forgetTraffic(connection.id);
    this.#attendance.gone(connection);
  }

  /** At most once a ping while the room is busy: a look at every socket is not for every frame. */
  #reap(now: number): void {
    if (now - this.#reapedAt < PING_MS) return;
    this.#reapedAt = now;
    this.#kernel.delivery.reap(now, this.parts.clock.ahead);
  }

  #forget(): void {
    const { storage, report, broken } = this.parts.world;
    this.#isOver = true;
    this.#kernel.drop();
    for (const write of [storage.deleteAlarm(), storage.deleteAll()]) {
      write.catch((error) => {
        report("A room could not be cleaned up", error);
        broken();
      });
    }
  }
}
