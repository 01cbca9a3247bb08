import { decode } from "../../protocol/codec";
import { closeCodes } from "../../protocol/codes";
import { MAX_EARLY } from "../../protocol/limits";
import type { Ack, Json, Nack, Up } from "../../protocol/messages";
import type { Actor } from "../api/feature";
import type { Committer } from "../commit/committer";
import type { Connection } from "../delivery/connection";
import type { Action, Actions } from "./actions";
import type { ConnectionLimits } from "./connection-limits";
import { windowKeys } from "./penalties";
import { type Rejection, rejection } from "./rejections";

/** What sockets say, and what each is answered. */
export class Inbound {
  constructor(
    private readonly kernel: Committer,
    private readonly actions: Actions,
    private readonly limits: ConnectionLimits,
  ) {}

  receive(connection: Connection, text: unknown): void {
    const { kernel } = this;
    if (connection.isClosed) return;
    if (connection.expiresAt <= kernel.machineNow) {
      return kernel.delivery.closeWith(connection, closeCodes.badToken, "Your token has ended.");
    }
    connection.markHeard(kernel.now);
    if (text === "ping") connection.markPinged();
    // Whoever speaks on opening does not end everybody's frame: it is heard once its welcome is out.
    if (!connection.isWelcome) {
      if (connection.early.push(text) <= MAX_EARLY) return;
      return this.#closeWithPenalty(connection, "Wait for your welcome.");
    }
    if (text === "ping") {
      const tooOften = this.limits.limitUpkeep(connection, kernel.now);
      if (tooOften) return this.#reject(connection, tooOften, {});
      return kernel.delivery.sendTo(connection, "pong");
    }
    const decoded = decode(text);
    if (decoded.ok) return this.#handle(connection, decoded.message);
    if (decoded.tooLarge) return kernel.delivery.closeWith(connection, closeCodes.tooLarge, decoded.problem);
    this.#reject(connection, rejection("bad_message", decoded.problem), decoded);
  }

  #handle(connection: Connection, message: Up): void {
    const { delivery, committed, now } = this.kernel;
    if (message.t === "seen") {
      // There is one mark per 256 KiB sent: who repeats it is always heard.
      const tooOften = connection.isMark(message.m) ? undefined : this.limits.limitUpkeep(connection, now);
      if (tooOften) return this.#reject(connection, tooOften, {});
      return delivery.markSeen(connection, message, committed, now);
    }
    const limited = this.limits.limit(connection, now);
    if (limited) return this.#rejectOrRepeat(connection, limited, message);
    switch (message.t) {
      case "do":
        return this.#do(connection, message);
      case "sig": {
        const problem = this.actions.signal(
          message.f,
          message.n,
          message.d,
          actorOf(connection),
          connection.from,
        );
        if (problem) return this.#reject(connection, problem, messageRef(message));
        return this.kernel.scheduleCommit();
      }
      case "clock":
        return delivery.sendTo(connection, JSON.stringify({ t: "clock", t0: message.t0, t1: now, t2: now }));
      case "verify": {
        const tooOften = this.limits.limitVerify(connection, now);
        if (tooOften) return this.#reject(connection, tooOften, {});
        return this.#afterFrame(() => delivery.reply(connection, () => this.#checksums(), CHECKSUM_CHARS));
      }
    }
  }

  #do(connection: Connection, action: Action): void {
    const { kernel } = this;
    const answer = this.actions.act(action, actorOf(connection), { from: connection.from });
    if (!answer.ok) return this.#reject(connection, answer.rejection, action);
    const { seq, answer: d, isRepeat: again } = answer;
    const tell = () => {
      const text = ackText(action.id, seq, d);
      kernel.delivery.reply(connection, () => text, text.length);
    };
    if (again) return this.#afterFrame(tell);
    // An event carries the acknowledgement of the action that made it.
    if (seq === undefined || d !== undefined) kernel.openFrame().onCommitted.push(tell);
    kernel.scheduleCommit(answer.urgent);
  }

  #checksums(): string {
    const { seq, slices } = this.kernel.state;
    return JSON.stringify({ t: "checksum", seq, sums: slices.checksums() });
  }

  /** Whoever comes back says again at once all that was not answered: what was done of it is not to be told as refused. */
  #rejectOrRepeat(connection: Connection, limited: Rejection, message: Up): void {
    if (message.t !== "do" || !this.actions.wasDone(message, connection.member.user)) {
      return this.#reject(connection, limited, messageRef(message));
    }
    if (!this.#isClosedForRejections(connection)) this.#do(connection, message);
  }

  /** It may be told only once all that it follows from is durable, and nobody hurries the frame by asking. */
  #afterFrame(tell: () => void): void {
    const frame = this.kernel.openFrame();
    frame.onCommitted.push(tell);
    this.kernel.scheduleCommit(!frame.isDurable && !frame.hasSignals);
  }

  /** Whether this was one too many, in which case it is closed. */
  #isClosedForRejections(connection: Connection): boolean {
    const penalised = this.limits.countRejection(connection, this.kernel.now);
    if (!penalised) return false;
    this.#closeWithPenalty(connection, "Too many of your messages were refused.", penalised);
    return true;
  }

  /** Only a refusal may go out ahead of the frame, for it reveals nothing. */
  #reject(connection: Connection, why: Rejection, { id, signal }: { id?: string; signal?: boolean }): void {
    const { delivery, now } = this.kernel;
    if (this.#isClosedForRejections(connection)) return;
    if (signal && !connection.maySendSignalNack(now)) return;
    const nack: Nack = { t: "nack", ...(id === undefined ? {} : { id }), ...this.kernel.inMachineTime(why) };
    delivery.sendTo(connection, JSON.stringify(nack));
  }

  /** Who does it again stays away for longer. */
  #closeWithPenalty(
    connection: Connection,
    reason: string,
    penalised: readonly string[] = windowKeys(connection.member.user, connection.from),
  ): void {
    const { kernel } = this;
    const pauseMs = kernel.penalise(penalised);
    kernel.delivery.closeWith(connection, closeCodes.tooMuch, reason, pauseMs);
    kernel.scheduleCommit();
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

function actorOf({ member, role, allRooms }: Connection): Actor {
  const scope = allRooms ? { allRooms } : {};
  return { user: member.user, name: member.name, role, isOverHttp: false, ...scope };
}

function messageRef(message: Up): { id?: string; signal?: boolean } {
  if (message.t === "do") return { id: message.id };
  return { signal: message.t === "sig" };
}
