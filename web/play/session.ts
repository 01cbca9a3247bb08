import {
  type ChatEvent,
  type ChatState,
  reduce as foldChat,
  initial as noMessages,
} from "../../src/features/chat/state";
import {
  reduce as foldPresence,
  initial as nobody,
  type PresenceEvent,
  type PresenceState,
} from "../../src/features/presence/state";
import { byteLength } from "../../src/protocol/codec";
import type { Role } from "../../src/protocol/codes";
import { RESEND_MS, SEEN_EVERY_BYTES } from "../../src/protocol/limits";
import type { Frame, NumberedEvent, Up, Welcome } from "../../src/protocol/messages";
import { type Draft, Drafts } from "./drafts";
import { type Heard, readDown } from "./heard";
import { Lifeline, type Link, type Wire } from "./lifeline";
import { Typists } from "./typists";

/** All that the page shows. The features' states are shared: whoever finds one unchanged has nothing to redraw. */
export interface View {
  link: Link;
  you: { user: string; name: string; role: Role } | undefined;
  chat: ChatState;
  presence: PresenceState;
  drafts: readonly Draft[];
  /** The draft that a message of one's own came from, by the message's number. */
  draftOf: ReadonlyMap<number, string>;
  typing: readonly string[];
}

const TYPING_EVERY_MS = 2_000;

/**
 * One person's visit to one room: wire text in, view out. It owns no socket, no clock and no timer; whoever drives it
 * hands in what happened with the time it happened at, and calls `tick` at `wakeAt`.
 */
export class Session {
  private you: View["you"];
  private epoch: string | undefined;
  private seq = 0;
  private replayUntil: number | undefined;
  private resendMs = RESEND_MS;
  private clockAhead = 0;
  private unseenBytes = 0;
  private typingAt = Number.NEGATIVE_INFINITY;
  private chat = noMessages();
  private presence = nobody();
  private readonly lifeline: Lifeline;
  private readonly drafts: Drafts;
  private readonly typists = new Typists();
  private readonly draftOf = new Map<number, string>();

  constructor(
    private readonly wire: Wire,
    chance: () => number,
    /** Makes operation ids unlike those of an earlier visit of the same guest. */
    visit: string,
  ) {
    this.lifeline = new Lifeline(wire, chance);
    this.drafts = new Drafts(visit);
  }

  view(now: number): View {
    return {
      link: this.lifeline.link(),
      you: this.you,
      chat: this.chat,
      presence: this.presence,
      drafts: this.drafts.all,
      draftOf: this.draftOf,
      typing: this.typists.at(now),
    };
  }

  /** What the address carries beside the name: where to resume from, if there is such a place. */
  resumePoint(): { epoch?: string; since?: string } {
    return this.epoch === undefined ? {} : { epoch: this.epoch, since: String(this.seq) };
  }

  // ---- what the person does

  join(now: number): void {
    this.lifeline.open(now);
  }

  nudge(now: number): void {
    this.lifeline.nudge(now);
  }

  say(text: string, now: number): void {
    const draft = this.drafts.add(text, now + this.clockAhead);
    if (this.lifeline.live) this.sendDraft(draft, now);
  }

  /** The same id as before: had the room accepted it after all, it would not be said twice. */
  sayAgain(op: string, now: number): void {
    const draft = this.drafts.renew(op);
    if (draft && this.lifeline.live) this.sendDraft(draft, now);
  }

  discard(op: string): void {
    this.drafts.remove(op);
  }

  typing(now: number): void {
    if (!this.lifeline.live || now - this.typingAt < TYPING_EVERY_MS) return;
    this.typingAt = now;
    this.send({ t: "sig", f: "chat", n: "typing", d: {} });
  }

  // ---- what the socket tells

  closed(code: number, reason: string, now: number): void {
    this.lifeline.closed(code, reason, now);
  }

  heard(text: string, now: number): void {
    this.lifeline.heard();
    if (text === "pong") return;
    const message = readDown(text);
    if (message) this.take(message, now);
    this.unseenBytes += byteLength(text);
    // At half of what is asked, since one message may be long.
    if (this.unseenBytes >= SEEN_EVERY_BYTES / 2 && this.lifeline.live) {
      this.unseenBytes = 0;
      this.send({ t: "seen", seq: this.seq });
    }
  }

  // ---- time

  tick(now: number): void {
    this.typists.forget(now);
    this.lifeline.tick(now);
  }

  /** When `tick` has something to do, or a countdown on the page shows another second. */
  wakeAt(now: number): number {
    const link = this.lifeline.link();
    const countdowns = [...this.drafts.waits(now), ...(link.is === "waiting" ? [link.retryAt] : [])];
    const seconds = countdowns.map((at) => (at > now ? now + ((at - now) % 1000 || 1000) : now));
    return Math.min(this.typists.nextAt(), this.lifeline.nextAt(), ...seconds);
  }

  // ---- inside

  private take(message: Heard, now: number): void {
    switch (message.t) {
      case "welcome":
        this.welcomed(message, now);
        break;
      case "frame":
        this.framed(message, now);
        break;
      case "ack":
        this.drafts.remove(message.id);
        break;
      case "nack":
        // A draining room says goodbye next; what it refused goes out again when it is back.
        if (message.id !== undefined && message.code !== "draining")
          this.drafts.refuse(message.id, message, now);
        break;
      case "bye":
        this.lifeline.dismissed(message, now);
        break;
    }
  }

  private welcomed(welcome: Welcome, now: number): void {
    const { user, name, role } = welcome.you;
    this.you = { user, name, role };
    this.resendMs = welcome.limits.resendMs;
    this.clockAhead = welcome.at - now;
    this.epoch = welcome.epoch;
    this.unseenBytes = 0;
    this.lifeline.greeted(now, welcome.limits.pingMs);
    if (!welcome.resumed) this.restart(welcome);
    this.replayUntil = welcome.seq;
    this.resendWhenReplayed(now);
  }

  private restart(welcome: Welcome): void {
    // The room folded these with the reducers imported above: its word is as good as ours.
    const state = welcome.state as { chat?: ChatState; presence?: PresenceState } | undefined;
    this.chat = state?.chat ?? noMessages();
    this.presence = state?.presence ?? nobody();
    this.seq = welcome.seq;
  }

  private framed(frame: Frame, now: number): void {
    const first = frame.seq - frame.e.length + 1;
    if (first > this.seq + 1) {
      // The room never leaves a gap. Should one appear all the same, it is closed by asking again from here.
      this.lifeline.hangUp(now);
      return;
    }
    const spoke = new Set<string>();
    for (const [index, event] of frame.e.entries()) {
      const seq = first + index;
      if (seq <= this.seq) continue;
      this.fold({ ...event, seq, at: frame.at });
      if (event.f === "chat" && event.n === "said" && event.by !== undefined) spoke.add(event.by);
    }
    for (const user of spoke) this.typists.stopped(user);
    for (const { f, n, by } of frame.s ?? []) {
      // Who typed and spoke within one frame has stopped typing.
      if (f === "chat" && n === "typing" && by !== this.you?.user && !spoke.has(by))
        this.typists.heard(by, now);
    }
    this.resendWhenReplayed(now);
  }

  private fold(event: NumberedEvent): void {
    if (event.f === "chat") this.chat = foldChat(this.chat, event as ChatEvent);
    if (event.f === "presence") this.presence = foldPresence(this.presence, event as PresenceEvent);
    this.seq = event.seq;
    if (event.op === undefined || event.by !== this.you?.user) return;
    if (this.drafts.has(event.op)) this.draftOf.set(event.seq, event.op);
    this.drafts.remove(event.op);
  }

  /** Not before the replay is out: what was said before the connection broke may be in it. */
  private resendWhenReplayed(now: number): void {
    if (this.replayUntil === undefined || this.seq < this.replayUntil || this.epoch === undefined) return;
    this.replayUntil = undefined;
    for (const draft of this.drafts.toSend(this.epoch, now - this.resendMs / 2)) this.sendDraft(draft, now);
  }

  private sendDraft(draft: Draft, now: number): void {
    if (this.epoch === undefined) return;
    this.drafts.sent(draft.op, this.epoch, now);
    this.send({ t: "do", id: draft.op, f: "chat", a: "say", d: { text: draft.text } });
  }

  private send(message: Up): void {
    this.wire.send(JSON.stringify(message));
  }
}
