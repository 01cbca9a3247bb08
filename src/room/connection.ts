import { type Role, roles } from "../protocol/codes";
import { HEAP_BYTES, PING_MS, SIGNAL_NACK_MS, SILENT_MS } from "../protocol/limits";
import type { Member } from "./members";
import type { Peer, SocketNote } from "./ports";

/** One socket of a member. */
export class Connection {
  /** Read up to this position of the event log (bytes, not numbers): what is unread is a difference. */
  readTo = 0;
  /** The newest number that it said it has read. */
  seen: number;
  /** Sent up to here while it replays or is paused; undefined while it is live. */
  cursor: number | undefined;
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
  readonly owed: (() => string)[] = [];
  owedChars = 0;
  /** Texts that came before its welcome was out. */
  readonly early: unknown[] = [];
  /** What it was sent apart from the log, by the position after which that came: read at the earliest with what is before it. */
  #apart: { at: number; bytes: number }[] = [];
  #apartBytes = 0;
  #notedAt: number;
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
  ) {
    this.seen = seen;
    this.heardAt = now;
    this.#notedAt = now;
  }

  heard(now: number): void {
    this.heardAt = now;
    // Often enough to tell silence from sleep, seldom enough to cost nothing.
    if (this.isWelcome && now - this.#notedAt >= PING_MS) this.note();
  }

  /** Whether it has pinged, and has been silent for too long since. `ahead`: of the machine's clock. */
  isSilent(now: number, ahead: number): boolean {
    const answeredAt = this.peer.pingedAt?.();
    if (!this.hasPinged && answeredAt === undefined) return false;
    return now - Math.max(this.heardAt, (answeredAt ?? 0) + ahead) > SILENT_MS;
  }

  /** It is sent so many bytes besides the log, of which it has been sent so much; or was spared so many that are in it. */
  owe(at: number, bytes: number): void {
    const last = this.#apart.at(-1);
    // In heaps: what is put to a later one counts as unread for a little longer.
    if (last && (last.at === at || Math.abs(last.bytes) < HEAP_BYTES)) {
      last.at = at;
      last.bytes += bytes;
    } else this.#apart.push({ at, bytes });
    this.#apartBytes += bytes;
  }

  /** It has read the log up to here, and what came before that. */
  hasRead(to: number): void {
    this.readTo = to;
    while (this.#apart[0] && this.#apart[0].at <= to) this.#apartBytes -= this.#apart.shift()?.bytes ?? 0;
  }

  /** Bytes that it has not read, where it was sent the log up to here. */
  unread(sentTo: number): number {
    return sentTo - this.readTo + this.#apartBytes;
  }

  get id(): string {
    return this.peer.id;
  }

  /** What has to outlive hibernation. */
  note(): void {
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
    this.#notedAt = this.heardAt;
    if (this.cursor !== undefined) Object.assign(note, { c: this.cursor, p: this.pausedAt });
    if (this.owed.length > 0) note.o = 1;
    this.peer.keep(note);
  }

  /** Whether a refused signal may be told about now. */
  maySignalNack(now: number): boolean {
    if (now - this.#signalNackAt < SIGNAL_NACK_MS) return false;
    this.#signalNackAt = now;
    return true;
  }
}
