import type { MonotonicClock } from "../../lib/monotonic-clock";
import { byteLength } from "../../protocol/codec";
import { type CloseCode, closeCodes, isFinal } from "../../protocol/codes";
import {
  LAGGING_BYTES,
  MAX_UNPROVEN_BYTES,
  MAX_UNPROVEN_REFILLS,
  PAUSE_BYTES,
  PAUSED_MS,
  SEEN_EVERY_BYTES,
  SLOW_RETRY_MS,
  UNPROVEN_REFILL_MS,
  UNPROVEN_RETRY_MS,
} from "../../protocol/limits";
import type { Bye, Frame, Seen } from "../../protocol/messages";
import { tailOf } from "../storage/record";
import type { Connection } from "./connection";
import type { EventLog } from "./event-log";
import type { RetrySpread } from "./retry-spread";
import { UnprovenBudget } from "./unproven-budget";

/**
 * Who is sent what. A reader is live, or stands at a cursor and is brought on from the log as it tells what it has read:
 * a replay after a reconnect and a reader who is too slow are the same thing, and the runtime's buffers are never the queue.
 */
export class Delivery {
  readonly #connections = new Map<string, Connection>();
  readonly #byUser = new Map<string, Set<Connection>>();
  readonly #unproven = new UnprovenBudget();
  /** Frames written to sockets, for tests and metrics. */
  sent = 0;

  constructor(
    private readonly log: EventLog,
    private readonly retrySpread: RetrySpread,
    private readonly on: {
      /** A reader who has just caught up is owed answers, and may have missed its private slices. */
      caughtUp(connection: Connection): void;
      /** The newest number that a reader who is live has, and the time of its frame. */
      newest(): { seq: number; at: number };
      /** Nobody can guess it. */
      mark(): string;
      /** A reader stands at a cursor, and is to be looked at again by this time. */
      held(until: number): void;
      /** It was told `bye` and counts as gone: the platform's own close may lag by seconds. */
      gone(connection: Connection): void;
    },
  ) {}

  get size(): number {
    return this.#connections.size;
  }

  get all(): Iterable<Connection> {
    return this.#connections.values();
  }

  get(id: string): Connection | undefined {
    return this.#connections.get(id);
  }

  ofUser(user: string): ReadonlySet<Connection> {
    return this.#byUser.get(user) ?? none;
  }

  add(connection: Connection): void {
    this.#connections.set(connection.id, connection);
    const theirs = this.#byUser.get(connection.member.user);
    if (theirs) theirs.add(connection);
    else this.#byUser.set(connection.member.user, new Set([connection]));
  }

  remove(connection: Connection): void {
    this.#connections.delete(connection.id);
    const theirs = this.#byUser.get(connection.member.user);
    theirs?.delete(connection);
    if (theirs?.size === 0) this.#byUser.delete(connection.member.user);
  }

  /** A frame to everybody who is live; `lean` is the same without its signals, absent where it has nothing else. */
  broadcast(fullText: string, durableText: string | undefined, before: number, now: number): void {
    const signalBytes =
      fullText === durableText
        ? 0
        : byteLength(fullText) - (durableText === undefined ? 0 : byteLength(durableText));
    this.log.skip(signalBytes);
    for (const connection of this.#connections.values()) {
      if (!connection.isWelcome || connection.cursor !== undefined) continue;
      const unread = this.#unreadBytes(connection);
      if (unread <= LAGGING_BYTES) {
        this.#sendFrame(connection, fullText);
        continue;
      }
      // It is spared the signals, and so owes no reading of them.
      connection.skipBytes(this.log.framesEnd, signalBytes);
      if (durableText === undefined) continue;
      if (unread <= PAUSE_BYTES) {
        this.#sendFrame(connection, durableText);
      } else this.pause(connection, before, now);
    }
  }

  /** To one socket alone. It counts as unread like anything else. */
  sendTo(connection: Connection, text: string): void {
    if (connection.isClosed) return;
    connection.addUnread(this.#sentTo(connection), byteLength(text));
    if (connection.isWelcome && this.#unreadBytes(connection) > 2 * PAUSE_BYTES)
      this.#closeTooSlow(connection);
    else {
      this.#send(connection, text);
      // Who is held is given a mark with what it is brought on by.
      if (connection.cursor === undefined) this.#requestProof(connection, this.on.newest());
    }
  }

  /** Its first message, of whatever size: what it has not read of it counts, and closes nobody who has yet to begin. */
  welcome(connection: Connection, text: string): void {
    connection.welcomeBytes = byteLength(text);
    connection.addUnread(this.#sentTo(connection), connection.welcomeBytes);
    this.#send(connection, text);
  }

  /** What follows from the newest frame: a reader who is still being brought on is told once it has that frame. */
  reply(connection: Connection, makeText: () => string, chars: number): void {
    if (connection.cursor === undefined) return this.sendTo(connection, makeText());
    connection.deferredChars += chars;
    if (connection.deferredChars > PAUSE_BYTES) return this.#closeTooSlow(connection);
    if (connection.deferredReplies.push(makeText) === 1) connection.saveNote();
  }

  sendToUser(user: string, text: string): void {
    for (const connection of this.ofUser(user)) {
      if (connection.isWelcome && connection.cursor === undefined) this.sendTo(connection, text);
    }
  }

  /** The reader has told how far it has read. */
  markSeen(
    connection: Connection,
    { seq, m }: Pick<Seen, "seq" | "m">,
    committed: number,
    now: number,
  ): void {
    const proves = connection.acceptMark(m);
    if (!proves && !this.#isBelieved(connection, now)) return this.#closeUnproven(connection);
    const read = Math.min(seq, connection.cursor ?? committed);
    // Who says less than before has read no more than before, and neither has who is behind what the log keeps.
    if (read >= connection.seen) {
      connection.seen = read;
      if (read >= committed || this.log.reaches(read)) connection.markRead(this.log.positionOf(read));
    }
    if (connection.cursor !== undefined) {
      connection.pausedAt = now;
      this.sendFromCursor(connection, committed);
    }
    connection.saveNote(this.#sentTo(connection));
  }

  /** Sends it nothing live: it has everything up to `sentTo` and is brought on from there. */
  pause(connection: Connection, sentTo: number, now: number): void {
    connection.cursor = sentTo;
    connection.replayedTo = undefined;
    connection.pausedAt = now;
    connection.saveNote();
    this.on.held(now + PAUSED_MS);
  }

  /** Sends on from the cursor as far as the reader's window allows. */
  sendFromCursor(connection: Connection, committed: number): void {
    while (connection.cursor !== undefined) {
      if (connection.cursor >= committed) {
        connection.skipTo(this.log.end);
        connection.cursor = undefined;
        this.on.caughtUp(connection);
        return;
      }
      const frame = this.log.after(connection.cursor);
      if (!frame) return this.#closeTooSlow(connection);
      const startsAt = frame.end - frame.bytes;
      connection.skipTo(startsAt);
      if (connection.unreadBytes(frame.end) > PAUSE_BYTES && connection.unreadBytes(startsAt) > 0) return;
      const isWhole = frame.first === connection.cursor + 1;
      const text = isWhole ? frame.text : tailOf(frame.text, connection.cursor);
      connection.cursor = frame.seq;
      connection.replayedTo = frame.end;
      this.#sendFrame(connection, text);
    }
  }

  /** What a reader asked for while it was held, once it has all that this follows from. */
  flushDeferred(connection: Connection): void {
    const replies = connection.deferredReplies.splice(0);
    connection.deferredChars = 0;
    for (const tell of replies) this.sendTo(connection, tell());
    if (replies.length > 0 && !connection.isClosed) connection.saveNote();
  }

  closeWith(connection: Connection, code: CloseCode, reason: string, retryAfterMs?: number): void {
    if (connection.isClosed) return;
    const bye: Bye = { t: "bye", code, reason };
    if (!isFinal(code))
      bye.retryAfterMs = retryAfterMs ?? this.retrySpread.nextMs(SLOW_RETRY_MS, SLOW_RETRY_MS);
    this.#send(connection, JSON.stringify(bye));
    connection.isClosed = true;
    try {
      connection.peer.close(code, reason);
    } catch {
      // Already closing from the other side: it is gone either way.
    }
    this.on.gone(connection);
  }

  /** Closes who pinged and then fell silent, and who was paused and read nothing. */
  closeIdle(now: number, ahead: number): void {
    for (const connection of this.#connections.values()) {
      if (connection.isSilent(now, ahead))
        this.closeWith(connection, closeCodes.silent, "Nothing was heard for 45 s.");
      else if (connection.expiresAt <= now - ahead)
        this.closeWith(connection, closeCodes.badToken, "Your token has ended.");
      else if (connection.cursor !== undefined && now - connection.pausedAt >= PAUSED_MS)
        this.#closeTooSlow(connection);
    }
  }

  /** Users none of whose sockets was heard since then or ever pinged: of those alone nothing tells whether they are still there. */
  *silentSince(at: number): Iterable<string> {
    for (const [user, theirs] of this.#byUser) {
      if ([...theirs].every((connection) => connection.isSilentSince(at))) yield user;
    }
  }

  /** When the next of them may be due. */
  nextIdleCheckAt(clock: MonotonicClock): number {
    let endsAt = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const { expiresAt, cursor, pausedAt } of this.#connections.values()) {
      endsAt = Math.min(endsAt, expiresAt);
      if (cursor !== undefined) next = Math.min(next, pausedAt + PAUSED_MS);
    }
    return Math.min(next, clock.roomAt(endsAt));
  }

  /** A frame, with a mark that the reader has to repeat if it is time for one. */
  #sendFrame(connection: Connection, text: string): void {
    const sentTo = this.#sentTo(connection);
    const mark = this.#dueMark(connection, sentTo);
    if (mark === undefined) {
      this.#send(connection, text);
      return connection.noteUnproven(sentTo);
    }
    const marked = `${text.slice(0, -1)},"m":${JSON.stringify(mark)}}`;
    connection.addUnread(sentTo, marked.length - text.length);
    connection.giveMark(mark, sentTo);
    this.#send(connection, marked);
    connection.saveNote(sentTo);
  }

  /** Replies count as unread too: a reader that gets nothing else is asked by a frame without events. */
  #requestProof(connection: Connection, { seq, at }: { seq: number; at: number }): void {
    if (connection.isClosed || !connection.isWelcome) return;
    const sentTo = this.#sentTo(connection);
    const mark = this.#dueMark(connection, sentTo);
    if (mark === undefined) return connection.noteUnproven(sentTo);
    const text = JSON.stringify({ t: "frame", seq, at, e: [], m: mark } satisfies Frame);
    connection.addUnread(sentTo, text.length);
    connection.giveMark(mark, sentTo);
    this.#send(connection, text);
    connection.saveNote(sentTo);
  }

  /** A fresh mark, if enough was sent since the last proof of reading. */
  #dueMark(connection: Connection, sentTo: number): string | undefined {
    const isDue = connection.unprovenBytes(sentTo) >= SEEN_EVERY_BYTES && !connection.isMarked;
    return isDue ? this.on.mark() : undefined;
  }

  /**
   * Whether its word counts without a mark: up to a pause since it last proved that it reads. Clients of before never repeat one,
   * and are believed for longer: all sockets of a user have one allowance, to which is added as time passes.
   */
  #isBelieved(connection: Connection, now: number): boolean {
    // No mark follows a welcome before the next frame of events, so a large welcome does not count until the first mark.
    const unmarkedBytes = connection.isMarked || connection.hasProved ? 0 : connection.welcomeBytes;
    if (connection.unprovenBytes(this.#sentTo(connection)) <= PAUSE_BYTES + unmarkedBytes) return true;
    if (connection.hasProved) return false;
    const theirs = [...this.ofUser(connection.member.user)].filter(({ hasProved }) => !hasProved);
    const bytesPerMs = MAX_UNPROVEN_BYTES / UNPROVEN_REFILL_MS / theirs.length;
    let [unproven, charged] = [0, 0];
    for (const other of theirs) {
      const sentTo = this.#sentTo(other);
      other.refill(sentTo, now, bytesPerMs);
      unproven += other.unprovenBytes(sentTo);
      charged += other.chargedBytes(sentTo);
    }
    if (charged > MAX_UNPROVEN_BYTES || unproven > MAX_UNPROVEN_REFILLS * MAX_UNPROVEN_BYTES) return false;
    return this.#spendUnproven(connection, now);
  }

  /** Its word counts within what is left for its user, for the guests where it is, and for the room: closed sockets count too. */
  #spendUnproven(connection: Connection, now: number): boolean {
    const bytes = connection.unbudgetedBytes(this.#sentTo(connection));
    if (!this.#unproven.spend(connection.member.user, connection.from, bytes, now)) return false;
    connection.addBudgeted(bytes);
    return true;
  }

  /** A client that knows marks repeats the next one. A client of before cannot, and would only wait to be closed as too slow. */
  #closeUnproven(connection: Connection): void {
    if (connection.hasProved || !connection.ignoresMark(this.#sentTo(connection))) return;
    const retryAfterMs = this.retrySpread.nextMs(UNPROVEN_RETRY_MS, UNPROVEN_RETRY_MS);
    const reason = "This room has no proof that you read what it sends.";
    this.closeWith(connection, closeCodes.silent, reason, retryAfterMs);
  }

  /** What was sent to it and not yet read, in bytes. */
  #unreadBytes(connection: Connection): number {
    return connection.unreadBytes(this.#sentTo(connection));
  }

  #sentTo({ cursor }: Connection): number {
    return cursor === undefined ? this.log.end : this.log.positionOf(cursor);
  }

  #closeTooSlow(connection: Connection): void {
    this.closeWith(connection, closeCodes.silent, "You read more slowly than this room speaks.");
  }

  #send(connection: Connection, text: string): void {
    if (connection.isClosed) return;
    try {
      connection.peer.send(text);
      this.sent++;
    } catch {
      // The other side is gone, whatever the platform tells of it later.
      connection.isClosed = true;
      this.on.gone(connection);
    }
  }
}

const none: ReadonlySet<Connection> = new Set();
