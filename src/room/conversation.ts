import { decode } from "../protocol/codec";
import { closeCodes } from "../protocol/codes";
import { MAX_EARLY } from "../protocol/limits";
import type { Ack, Json, Nack, Up } from "../protocol/messages";
import type { Action, Actions } from "./actions";
import type { Connection } from "./connection";
import type { Speaker } from "./feature";
import type { Kernel } from "./kernel";
import { windowsOf } from "./offences";
import { type Refused, refused } from "./refusals";
import type { Traffic } from "./traffic";

/** What sockets say, and what each is answered. */
export class Conversation {
  constructor(
    private readonly kernel: Kernel,
    private readonly actions: Actions,
    private readonly traffic: Traffic,
  ) {}

  hear(connection: Connection, text: unknown): void {
    const { kernel } = this;
    if (connection.isClosed) return;
    if (connection.expiresAt <= kernel.machineNow) {
      return kernel.delivery.bye(connection, closeCodes.badToken, "Your token has ended.");
    }
    connection.heard(kernel.now);
    if (text === "ping") connection.pinged();
    // Whoever speaks on opening does not end everybody's frame: it is heard once its welcome is out.
    if (!connection.isWelcome) {
      if (connection.early.push(text) <= MAX_EARLY) return;
      return this.#close(connection, "Wait for your welcome.");
    }
    if (text === "ping") {
      const tooOften = this.traffic.limitUpkeep(connection, kernel.now);
      if (tooOften) return this.#refuse(connection, tooOften, {});
      return kernel.delivery.direct(connection, "pong");
    }
    const decoded = decode(text);
    if (decoded.ok) return this.#take(connection, decoded.message);
    if (decoded.tooLarge) return kernel.delivery.bye(connection, closeCodes.tooLarge, decoded.problem);
    this.#refuse(connection, refused("bad_message", decoded.problem), decoded);
  }

  #take(connection: Connection, message: Up): void {
    const { delivery, committed, now } = this.kernel;
    if (message.t === "seen") {
      const tooOften = this.traffic.limitUpkeep(connection, now);
      if (tooOften) return this.#refuse(connection, tooOften, {});
      return delivery.seen(connection, message, committed, now);
    }
    const limited = this.traffic.limit(connection, now);
    if (limited) return this.#tooMuch(connection, limited, message);
    switch (message.t) {
      case "do":
        return this.#do(connection, message);
      case "sig": {
        const problem = this.actions.signal(
          message.f,
          message.n,
          message.d,
          speakerOf(connection),
          connection.from,
        );
        if (problem) return this.#refuse(connection, problem, about(message));
        return this.kernel.settle();
      }
      case "clock":
        return delivery.direct(connection, JSON.stringify({ t: "clock", t0: message.t0, t1: now, t2: now }));
      case "verify": {
        const tooOften = this.traffic.limitVerify(connection, now);
        if (tooOften) return this.#refuse(connection, tooOften, {});
        return this.#afterFrame(() => delivery.answer(connection, () => this.#checksums(), CHECKSUM_CHARS));
      }
    }
  }

  #do(connection: Connection, action: Action): void {
    const { kernel } = this;
    const answer = this.actions.act(action, speakerOf(connection), { from: connection.from });
    if (!answer.ok) return this.#refuse(connection, answer.refused, action);
    const { seq, answer: d, again } = answer;
    const tell = () => {
      const text = ackText(action.id, seq, d);
      kernel.delivery.answer(connection, () => text, text.length);
    };
    if (again) return this.#afterFrame(tell);
    // An event carries the acknowledgement of the action that made it.
    if (seq === undefined || d !== undefined) kernel.frame().after.push(tell);
    kernel.settle(answer.urgent);
  }

  #checksums(): string {
    const { seq, slices } = this.kernel.memory;
    return JSON.stringify({ t: "checksum", seq, sums: slices.checksums() });
  }

  /** Whoever comes back says again at once all that was not answered: what was done of it is not to be told as refused. */
  #tooMuch(connection: Connection, limited: Refused, message: Up): void {
    if (message.t !== "do" || !this.actions.wasDone(message, connection.member.user)) {
      return this.#refuse(connection, limited, about(message));
    }
    if (!this.#offends(connection)) this.#do(connection, message);
  }

  /** It may be told only once all that it follows from is durable, and nobody hurries the frame by asking. */
  #afterFrame(tell: () => void): void {
    const frame = this.kernel.frame();
    frame.after.push(tell);
    this.kernel.settle(!frame.isDurable && !frame.hasSignals);
  }

  /** Whether this was one too many, in which case it is closed. */
  #offends(connection: Connection): boolean {
    if (!this.traffic.offends(connection, this.kernel.now)) return false;
    this.#close(connection, "Too many of your messages were refused.");
    return true;
  }

  /** Only a refusal may go out ahead of the frame, for it reveals nothing. */
  #refuse(connection: Connection, why: Refused, { id, signal }: { id?: string; signal?: boolean }): void {
    const { delivery, now } = this.kernel;
    if (this.#offends(connection)) return;
    if (signal && !connection.maySignalNack(now)) return;
    const nack: Nack = { t: "nack", ...(id === undefined ? {} : { id }), ...this.kernel.refusal(why) };
    delivery.direct(connection, JSON.stringify(nack));
  }

  /** Who does it again stays away for longer. */
  #close(connection: Connection, reason: string): void {
    const { kernel } = this;
    const pauseMs = kernel.offend(windowsOf(connection.member.user, connection.from));
    kernel.delivery.bye(connection, closeCodes.tooMuch, reason, pauseMs);
    kernel.settle();
  }
}

function ackText(id: string, seq: number | undefined, d: Json | undefined): string {
  return JSON.stringify({
    t: "ack",
    id,
    ...(seq === undefined ? {} : { seq }),
    ...(d === undefined ? {} : { d }),
  } satisfies Ack);
}

/** About what the sums of a dozen features take. */
const CHECKSUM_CHARS = 500;

function speakerOf({ member, role, allRooms }: Connection): Speaker {
  const scope = allRooms ? { allRooms } : {};
  return { user: member.user, name: member.name, role, forRoom: false, ...scope };
}

function about(message: Up): { id?: string; signal?: boolean } {
  if (message.t === "do") return { id: message.id };
  return { signal: message.t === "sig" };
}
