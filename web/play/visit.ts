import PartySocket from "partysocket";
import { Session, type View } from "./session";
import { freshId } from "./tab";

export interface Visit {
  say(text: string): void;
  sayAgain(op: string): void;
  discard(op: string): void;
  typing(): void;
  retryNow(): void;
  rejoin(): void;
  leave(): void;
}

/** Drives a session with a real socket, the clock and one timer, and shows its view after whatever happens. */
export function visit(
  room: string,
  name: string,
  tab: string,
  show: (view: View, now: number) => void,
): Visit {
  const socket = new PartySocket({
    host: location.host,
    // partysocket guesses from the host, and takes a name in a local network for a secure site.
    protocol: location.protocol === "https:" ? "wss" : "ws",
    party: "main",
    room,
    id: tab,
    query: () => ({ name, v: "1", ...session.resumePoint() }),
    startClosed: true,
    // The session says when to try again, with chance in it, and keeps what is to be sent.
    shouldReconnectOnClose: () => false,
    maxEnqueuedMessages: 0,
    connectionTimeout: 30_000,
  });
  const session = new Session(
    { open: () => socket.reconnect(), send: (text) => socket.send(text), close: () => socket.close() },
    Math.random,
    freshId().slice(0, 12),
  );

  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new AbortController();
  const happen = (what: (now: number) => void) => {
    if (over.signal.aborted) return;
    what(Date.now());
    const now = Date.now();
    // Set anew in every handler: a chain of timers alone would be slowed to one a minute in a hidden tab, and miss its pings.
    clearTimeout(timer);
    const wakeAt = session.wakeAt(now);
    if (wakeAt !== Number.POSITIVE_INFINITY) timer = setTimeout(happen, Math.max(0, wakeAt - now), tick);
    show(session.view(now), now);
  };
  const tick = (now: number) => session.tick(now);
  const nudge = () => happen((now) => session.nudge(now));

  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") happen((now) => session.heard(data, now));
  });
  socket.addEventListener("close", ({ code, reason }) => happen((now) => session.closed(code, reason, now)));
  addEventListener("online", nudge, { signal: over.signal });
  addEventListener("pageshow", (event) => event.persisted && nudge(), { signal: over.signal });
  document.addEventListener("visibilitychange", () => document.hidden || nudge(), { signal: over.signal });
  happen((now) => session.join(now));

  return {
    say: (text) => happen((now) => session.say(text, now)),
    sayAgain: (op) => happen((now) => session.sayAgain(op, now)),
    discard: (op) => happen(() => session.discard(op)),
    typing: () => happen((now) => session.typing(now)),
    retryNow: nudge,
    rejoin: () => happen((now) => session.join(now)),
    leave() {
      over.abort();
      clearTimeout(timer);
      socket.close();
    },
  };
}
