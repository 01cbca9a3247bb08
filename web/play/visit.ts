import { type ActionError, joinRoom } from "../../src/client/room-client";
import { Drafts } from "./drafts";
import { openTabTokenStore } from "./memory";
import { freshId } from "./tab";
import { Typists } from "./typists";
import type { View } from "./view";

export interface Visit {
  say(text: string): void;
  retry(op: string): void;
  discard(op: string): void;
  reportTyping(): void;
  retryNow(): void;
  rejoin(): void;
  leave(): void;
}

/** Somebody who types for a while says so this often. */
const TYPING_INTERVAL_MS = 2_000;

/** A visit to a room, with what the page keeps beside it, shown after whatever happens. */
export function openVisit(
  room: string,
  name: string,
  tab: string,
  show: (view: View, now: number) => void,
): Visit {
  const client = joinRoom({ kind: "main", room, name, tab, storage: openTabTokenStore(tab) });
  const drafts = new Drafts();
  const draftBySeq = new Map<number, string>();
  const typists = new Typists();
  let typingSentAt = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hasLeft = false;

  const draw = () => {
    if (hasLeft) return;
    const now = Date.now();
    typists.prune(now);
    const { status, you, state } = client;
    const { chat, presence } = state;
    show(
      { status: status, you, chat, presence, drafts: drafts.all, draftBySeq, typingUsers: typists.list(now) },
      now,
    );
    clearTimeout(timer);
    const wakeAt = nextDrawAt(now);
    if (wakeAt !== Number.POSITIVE_INFINITY) timer = setTimeout(draw, wakeAt - now);
  };
  /** When a countdown on the page shows another second, or somebody has stopped typing. */
  const nextDrawAt = (now: number) => {
    const { status } = client;
    const countdowns = [...drafts.pendingRetryAts(now), ...(status.is === "waiting" ? [status.retryAt] : [])];
    const seconds = countdowns.filter((at) => at > now).map((at) => now + ((at - now) % 1000 || 1000));
    return Math.min(typists.nextAt(), ...seconds);
  };

  const send = (op: string, text: string) => {
    // What somebody has written is worth keeping for as long as they stay.
    client
      .do("chat", "say", { text }, { id: op, timeoutMs: Number.POSITIVE_INFINITY })
      .then(
        () => drafts.remove(op),
        (error: ActionError) => drafts.markFailed(op, error, Date.now()),
      )
      .then(draw);
    draw();
  };

  client.on("chat.said", ({ by, op, seq }) => {
    if (by !== undefined) typists.remove(by);
    // In the step that brings the message, so that it is never there twice; also one that had been given up on.
    if (op === undefined || !drafts.has(op)) return;
    draftBySeq.set(seq, op);
    drafts.remove(op);
  });
  client.on("chat.typing", ({ by }) => {
    if (by !== client.you?.user) typists.add(by, Date.now());
  });
  client.subscribe(draw);
  draw();

  return {
    say(text) {
      const op = freshId();
      drafts.add(op, text, client.clock.now());
      send(op, text);
    },
    retry(op) {
      // The same id as before: had the room accepted it after all, it would not be said twice.
      const text = drafts.retry(op);
      if (text !== undefined) send(op, text);
    },
    discard(op) {
      drafts.remove(op);
      draw();
    },
    reportTyping() {
      const now = Date.now();
      if (now - typingSentAt < TYPING_INTERVAL_MS) return;
      typingSentAt = now;
      client.signal("chat", "typing");
    },
    retryNow: () => client.retryNow(),
    rejoin: () => client.join(),
    leave() {
      hasLeft = true;
      clearTimeout(timer);
      client.leave();
    },
  };
}
