import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { expect, vi } from "vitest";
import { signToken, type TokenClaims } from "../../src/identity/token";

const HOUR_MS = 3_600_000;

let rooms = 0;

/** A room that was never opened; an object of another file may have the same name. */
export function makeRoomName(): string {
  rooms += 1;
  return `room-${crypto.randomUUID().slice(0, 8)}-${rooms}`;
}

export function mintToken(claims: TokenClaims): Promise<string> {
  const now = Date.now();
  return signToken(claims, env.AUTH_SECRET, now, now + HOUR_MS);
}

export function requestRoom(room: string, init: RequestInit = {}): Promise<Response> {
  return exports.default.fetch(`http://tallyroom/parties/main/${room}`, init);
}

/** A client that connects through the worker, as from outside. */
export class SocketClient {
  readonly #messages: Message[] = [];

  constructor(readonly socket: WebSocket) {
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data)) as Message;
      this.#messages.push(message);
      if (message.t === "bye") socket.close();
    });
    socket.accept();
  }

  static async join(room: string, query: Record<string, string>): Promise<SocketClient> {
    const search = new URLSearchParams(query);
    const { webSocket } = await exports.default.fetch(`http://tallyroom/parties/main/${room}?${search}`, {
      headers: { Upgrade: "websocket" },
    });
    if (!webSocket) throw new Error("not a socket");
    return new SocketClient(webSocket);
  }

  say(id: string, text: string): void {
    this.do(id, "chat", "say", { text });
  }

  do(id: string, f: string, a: string, d: Record<string, unknown>): void {
    this.socket.send(JSON.stringify({ t: "do", id, f, a, d }));
  }

  /** The event of this feature and name, as soon as it has come. */
  waitForEvent(f: string, n: string, timeout = 1_000): Promise<WireEvent> {
    return vi.waitFor(() => expectDefined(this.events.find((event) => event.f === f && event.n === n)), {
      timeout,
    });
  }

  waitForWelcome(): Promise<Message> {
    return this.#waitForMessage("welcome");
  }

  nack(): Promise<Message> {
    return this.#waitForMessage("nack");
  }

  waitForBye(): Promise<Message> {
    return this.#waitForMessage("bye");
  }

  get events(): WireEvent[] {
    return this.#messages.flatMap(({ e = [] }) => e);
  }

  /** The codes of refused actions, by id. */
  get refused(): Record<string, string | number | undefined> {
    const nacks = this.#messages.filter(({ t }) => t === "nack");
    return Object.fromEntries(nacks.map(({ id = "", code }) => [id, code]));
  }

  #waitForMessage(what: string): Promise<Message> {
    return vi.waitFor(() => expectDefined(this.#messages.find(({ t }) => t === what)));
  }
}

/** All that an object has stored, alarm included: nothing at all is `{}`. */
export function readStored(room: string): Promise<Record<string, unknown>> {
  return runInRoom(room, async ({ storage }) => {
    const alarm = await storage.getAlarm();
    return {
      ...Object.fromEntries(await storage.list()),
      ...(alarm === null ? {} : { "the alarm": alarm }),
    };
  });
}

/** As the platform keeps it for the sleep: partyserver's part and ours. */
export function readAttachments(room: string): Promise<unknown[]> {
  return runInRoom(room, (state) =>
    // partyserver hides its part behind the method of each socket.
    state.getWebSockets().map((socket) => WebSocket.prototype.deserializeAttachment.call(socket)),
  );
}

/** Looks into an object without asking the room anything. */
export function runInRoom<T>(room: string, look: (state: DurableObjectState) => T | Promise<T>): Promise<T> {
  return runInDurableObject(objectOf(room), (_, state) => look(state));
}

export function objectOf(room: string) {
  return env.ROOMS.getByName(`main/${room}`);
}

interface WireEvent {
  f: string;
  n: string;
  d: Record<string, unknown>;
  by?: string;
}

interface Message {
  t: string;
  e?: WireEvent[];
  you?: { user: string; token?: string };
  epoch?: string;
  id?: string;
  code?: number;
  reason?: string;
  retryAfterMs?: number;
}

function expectDefined<T>(value: T | undefined): T {
  expect(value).toBeDefined();
  return value as T;
}
