import { type Role, roles } from "../../protocol/codes";
import {
  PAUSE_BYTES,
  PING_MS,
  SEEN_EVERY_BYTES,
  SIGNAL_NACK_MS,
  SILENT_MS,
  UNPROVEN_REFILL_MS,
  UNREAD_BUCKET_BYTES,
} from "../../protocol/limits";
import type { Peer, SocketNote } from "../ports";
import type { Member } from "../state/members";
import { UnreadBytes } from "./unread-bytes";

/** One socket of a member. */
export class Connection {
  /** Read up to this position of the event log (bytes, not numbers): what is unread is a difference. */
  readTo = 0;
  /** The newest number that it said it has read. */
  seen: number;
  /** Sent up to here while it replays or is paused; undefined while it is live. */
  cursor: number | undefined;
  /** Up to this position it was brought on, since it was held. */
  replayedTo: number | undefined;
  /** The mark that it has yet to repeat, and how much of the log and besides it had been sent by then. */
  #mark: { text: string; at: number; beside: number } | undefined;
  /** Up to this position of the log it has proved that it reads; and what it was sent besides since then. */
  #provenTo = 0;
  #besideUnproven = 0;
  /** Whether it ever repeated a mark: clients of before never do. */
  hasProved = false;
  #notedUnproven = 0;
  /** Bytes of its welcome. They do not count as unproven until it has been given a mark. */
  welcomeBytes = 0;
  /** So much of what is unproven no longer counts, for time has passed; and until when that was worked out. */
  #refilled = 0;
  #refilledAt: number | undefined;
  /** So much of what is unproven was taken out of the room's budget; what a room that slept knows of counts as taken. */
  #budgeted = 0;
  /** Since when it has been paused without reading anything. */
  pausedAt = 0;
  /** Whether its welcome is out; until then it is sent nothing. */
  isWelcome = false;
  /** Closed by us: what still arrives from it is not heard. */
  isClosed = false;
  /** When it last said something, and whether it ever pinged. */
  heardAt: number;
  hasPinged = false;
  /** Answers that follow from frames which it has not been sent yet. */
  readonly deferredReplies: (() => string)[] = [];
  deferredChars = 0;
  /** Texts that came before its welcome was out. */
  readonly early: unknown[] = [];
  /** Sent to it besides the log, and in the log but not sent to it: what is not known exactly counts as unread. */
  readonly #replies = new UnreadBytes(true);
  readonly #skipped = new UnreadBytes(false);
  /** The one less the other: every frame asks for it, of everybody. */
  #besideLog = 0;
  /** The newest of the platform's answers to its pings that is known of, by the machine's clock. */
  #answeredAt: number | undefined;
  #notedAt: number;
  #notedAnswers = 0;
  #signalNackAt = Number.NEGATIVE_INFINITY;

  constructor(
    readonly peer: Peer,
    public member: Member,
    readonly role: Role,
    readonly tab: string,
    readonly expiresAt: number,
    seen: number,
    now: number,
    /** Where a guest comes from, as a keyed hash: their windows hold there too. */
    readonly from?: string | undefined,
    /** Its token is for every room. */
    readonly allRooms?: true | undefined,
  ) {
    this.seen = seen;
    this.heardAt = now;
    this.#notedAt = now;
  }

  markHeard(now: number): void {
    this.heardAt = now;
    // Often enough to tell silence from sleep, seldom enough to cost nothing.
    if (this.isWelcome && now - this.#notedAt >= PING_MS) this.saveNote();
  }

  /** Noted at once: only of one that pings is it known, after a sleep too, that it fell silent. */
  markPinged(): void {
    if (this.hasPinged) return;
    this.hasPinged = true;
    if (this.isWelcome) this.saveNote();
  }

  /** Whether it has pinged, and has been silent for too long since. `ahead`: of the machine's clock. */
  isSilent(now: number, ahead: number): boolean {
    const answeredAt = this.peer.pingedAt?.();
    if (!this.hasPinged && answeredAt === undefined) return false;
    // An answer counts from when it is found: the machine's clock may have been set back since, and then says nothing of it.
    if (answeredAt !== undefined && answeredAt !== this.#answeredAt) {
      this.heardAt = Math.max(this.heardAt, Math.min(now, answeredAt + ahead));
      this.#answeredAt = answeredAt;
    }
    return now - this.heardAt > SILENT_MS;
  }

  /** Whether it has said nothing since then and never pinged, so that only the platform could tell that it is gone. */
  isSilentSince(at: number): boolean {
    return !this.hasPinged && this.heardAt <= at && this.peer.pingedAt?.() === undefined;
  }

  /** It is sent so many bytes besides the log, of which it has been sent so much. */
  addUnread(at: number, bytes: number): void {
    this.#replies.add(at, bytes);
    this.#besideLog += bytes;
    this.#besideUnproven += bytes;
    if (this.isWelcome && this.#replies.bytes - this.#notedAnswers >= UNREAD_BUCKET_BYTES) this.saveNote();
  }

  /** So many bytes of the log, after the frame that ends here, are kept from it. */
  skipBytes(at: number, bytes: number): void {
    if (bytes <= 0) return;
    this.#skipped.add(at, bytes);
    this.#besideLog -= bytes;
  }

  /** Signals of while it was held are not for it: the log goes on for it from here. */
  skipTo(to: number): void {
    if (this.replayedTo === undefined) return;
    this.skipBytes(this.replayedTo, to - this.replayedTo);
    this.replayedTo = to;
  }

  /** It has read the log up to here, and what came before that. */
  markRead(to: number): void {
    this.readTo = to;
    this.#replies.readTo(to);
    this.#skipped.readTo(to);
    this.#besideLog = this.#replies.bytes - this.#skipped.bytes;
  }

  /** Bytes that it has not read, where it was sent the log up to here. */
  unreadBytes(sentTo: number): number {
    return sentTo - this.readTo + this.#besideLog;
  }

  /** Its reading begins here: with its welcome, or where its room woke, which knows so much that it never proved to have read. */
  startAt(readTo: number, sentTo = readTo, unproven = 0): void {
    this.readTo = readTo;
    this.#provenTo = sentTo;
    this.#besideUnproven = unproven;
    this.#notedUnproven = unproven;
    this.#budgeted = unproven;
  }

  /** Bytes that it was sent, up to here of the log, since it last proved that it reads. What it was spared counts as well. */
  unprovenBytes(sentTo: number): number {
    return Math.max(0, sentTo - this.#provenTo) + this.#besideUnproven;
  }

  /** What of it counts against its user's allowance. */
  chargedBytes(sentTo: number): number {
    return this.unprovenBytes(sentTo) - this.#refilled;
  }

  /** So many bytes a millisecond stop to count, of those that it was sent. A clock that steps ahead adds one allowance at most. */
  refill(sentTo: number, now: number, bytesPerMs: number): void {
    const passedMs = Math.min(Math.max(0, now - (this.#refilledAt ?? now)), UNPROVEN_REFILL_MS);
    this.#refilled += Math.min(passedMs * bytesPerMs, this.chargedBytes(sentTo));
    this.#refilledAt = now;
  }

  /** What is unproven and not yet taken out of the room's budget. */
  unbudgetedBytes(sentTo: number): number {
    return Math.max(0, this.unprovenBytes(sentTo) - this.#budgeted);
  }

  addBudgeted(bytes: number): void {
    this.#budgeted += bytes;
  }

  /** Whether it is to be given a mark to repeat. */
  get isMarked(): boolean {
    return this.#mark !== undefined;
  }

  /** It is given this one, after so much of the log; where its room woke, so much of what it was sent before came before the mark. */
  giveMark(text: string, at: number, beside = this.#besideUnproven): void {
    this.#mark = { text, at, beside: Math.min(beside, this.#besideUnproven) };
  }

  /** Whether it was sent more than a pause's worth after its mark, which a client that knows marks repeats before that. */
  ignoresMark(sentTo: number): boolean {
    if (!this.#mark) return false;
    const { at, beside } = this.#mark;
    return sentTo - at + this.#besideUnproven - beside > PAUSE_BYTES;
  }

  /** Whether this is the mark that it has yet to repeat. */
  isMark(text: string | undefined): boolean {
    return this.#mark !== undefined && this.#mark.text === text;
  }

  /** Whether this is the mark that it was given: then it has read all that came before. */
  acceptMark(text: string | undefined): boolean {
    const mark = this.#mark;
    if (!mark || mark.text !== text) return false;
    this.#mark = undefined;
    this.hasProved = true;
    this.#provenTo = mark.at;
    this.#besideUnproven -= mark.beside;
    this.#refilled = 0;
    this.#notedUnproven = 0;
    return true;
  }

  /** Kept over a sleep of its room before it has grown much. */
  noteUnproven(sentTo: number): void {
    if (this.chargedBytes(sentTo) - this.#notedUnproven >= SEEN_EVERY_BYTES / 4) this.saveNote(sentTo);
  }

  get id(): string {
    return this.peer.id;
  }

  /** What has to outlive hibernation. */
  saveNote(sentTo?: number): void {
    if (sentTo !== undefined) this.#notedUnproven = Math.ceil(this.chargedBytes(sentTo));
    const note: SocketNote = {
      m: this.member.number,
      r: roles.indexOf(this.role),
      t: this.tab,
      x: this.expiresAt,
      s: this.seen,
      h: this.heardAt,
    };
    if (this.hasPinged) note.g = 1;
    if (this.from !== undefined) note.a = this.from;
    if (this.allRooms) note.w = 1;
    this.#notedAt = this.heardAt;
    this.#notedAnswers = this.#replies.bytes;
    if (this.#notedAnswers > 0) note.u = this.#notedAnswers;
    if (this.cursor !== undefined) Object.assign(note, { c: this.cursor, p: this.pausedAt });
    if (this.deferredReplies.length > 0) note.o = 1;
    if (this.#notedUnproven > 0) note.v = this.#notedUnproven;
    if (this.#mark) {
      note.k = this.#mark.text;
      note.b = Math.max(0, this.#mark.at - this.#provenTo) + this.#mark.beside;
    }
    if (this.hasProved) note.q = 1;
    this.peer.saveNote(note);
  }

  /** Whether a refused signal may be told about now. */
  maySendSignalNack(now: number): boolean {
    if (now - this.#signalNackAt < SIGNAL_NACK_MS) return false;
    this.#signalNackAt = now;
    return true;
  }
}
