import { type ActionError, joinRoom, type RoomClient } from "../../../src/client/room-client";
import type { main } from "../../../src/kinds/main";
import type { NumberedEvent } from "../../../src/protocol/messages";
import type { Random } from "../random";
import { UncompressedWebSocket } from "../sockets";
import { mintToken } from "../tokens";
import { pause } from "../waiting";
import type { AckedAwards } from "./acked-awards";

export interface ActionRecord {
  text: string;
  is: "done" | "refused" | "unknown";
  seq?: number | undefined;
}

/** After this long without an answer the action is sent again under its id, while the room still remembers it. */
const TIMEOUT_MS = 20_000;
const ATTEMPTS = 3;

/** A user with our own client, who talks, awards points as a host, and records every event. */
export class ChaosClient {
  readonly room: RoomClient<typeof main>;
  readonly actions: Promise<ActionRecord>[] = [];
  /** Every line received, and how often, since the join. */
  readonly receivedLines = new Map<string, { seq: number; times: number }>();
  /** Breaches of the client's promises. */
  readonly violations: string[] = [];
  awards = 0;
  #seq: number | undefined;

  constructor(
    readonly user: string,
    address: { host: string; room: string },
    private readonly acknowledged: AckedAwards,
    private readonly random: Random,
    private readonly isHost: boolean,
  ) {
    const claims = {
      sub: user,
      name: user,
      ...(isHost ? { role: "host", rooms: [`main/${address.room}`] } : {}),
    };
    this.room = joinRoom({
      host: `http://${address.host}`,
      kind: "main",
      room: address.room,
      getToken: () => mintToken(claims),
      WebSocket: UncompressedWebSocket,
    });
    this.room.on("event", (event) => this.#onEvent(event));
    this.room.on("fresh", () => {
      this.#seq = undefined;
    });
    this.room.on("differs", ({ differing }) =>
      this.violations.push(`${user}'s state differed: ${differing.join()}`),
    );
    this.room.on("status", (status) => {
      if (status.is === "ended")
        this.violations.push(`${user}'s visit ended: ${status.code} ${status.reason}`);
    });
  }

  /** Talks until it is over; several lines may wait for the room at once. */
  async run(isOver: () => boolean, players: readonly string[]): Promise<void> {
    const { random } = this;
    for (let n = 0; !isOver(); n++) {
      if (this.room.pending.length < 20) {
        // In threes: the filter masks some numbers with stars.
        this.actions.push(this.#say(`${this.user} says ${n.toString(3)}`));
        if (this.isHost) void this.#award(random.pick(players), random.below(9) - 2);
      }
      await pause(100 + random.below(700));
    }
  }

  async settledActions(): Promise<ActionRecord[]> {
    return Promise.all(this.actions);
  }

  async #say(text: string): Promise<ActionRecord> {
    const { is, seq } = await this.#doWithRetry((id) =>
      this.room.do("chat", "say", { text }, { id, timeoutMs: TIMEOUT_MS }),
    );
    return { text, is, seq };
  }

  async #award(user: string, points: number): Promise<void> {
    this.awards++;
    const promise = this.#doWithRetry((id) =>
      this.room.do("scores", "award", { user, points }, { id, timeoutMs: TIMEOUT_MS }),
    );
    const settled = promise.then(({ is }): ActionRecord => {
      if (is === "done") this.acknowledged.add(user, points);
      if (is === "unknown") this.acknowledged.addUncertain(user, points);
      return { text: `${points} to ${user}`, is };
    });
    this.actions.push(settled);
    await settled;
  }

  async #doWithRetry(ask: (id: string) => Promise<object>): Promise<Pick<ActionRecord, "is" | "seq">> {
    const id = `${this.user} ${this.actions.length}`;
    for (let attempt = 1; ; attempt++) {
      try {
        const done: { seq?: number } = await ask(id);
        return { is: "done", seq: done.seq };
      } catch (error) {
        const { code, message } = error as ActionError;
        if (code !== "unknown_outcome") {
          // Every action is allowed: only the room's absence is a reason to refuse.
          if (code !== "timeout" && code !== "unavailable")
            this.violations.push(`${this.user} was refused: ${message}`);
          return { is: "refused" };
        }
        if (attempt === ATTEMPTS) return { is: "unknown" };
      }
    }
  }

  #onEvent({ seq, f, n, by, d }: NumberedEvent): void {
    if (this.#seq !== undefined && seq !== this.#seq + 1) {
      this.violations.push(`${this.user} received ${seq} after ${this.#seq}`);
    }
    this.#seq = seq;
    if (f !== "chat" || n !== "said") return;
    const { text } = d as { text: string };
    const before = this.receivedLines.get(text);
    this.receivedLines.set(text, { seq, times: (before?.times ?? 0) + 1 });
    if (by === undefined || !text.startsWith(`${by} says `)) this.violations.push(`${text} came from ${by}`);
  }
}

/** Compares every promise with what all clients received. */
export async function findViolations(clients: readonly ChaosClient[]): Promise<string[]> {
  const violations = clients.flatMap((client) => client.violations);
  const numbers = new Map<number, string>();
  for (const { user, receivedLines: heard } of clients) {
    for (const [text, { seq, times }] of heard) {
      if (times > 1) violations.push(`${user} heard "${text}" ${times} times`);
      const known = numbers.get(seq);
      if (known !== undefined && known !== text) violations.push(`${seq} is "${text}" and "${known}"`);
      numbers.set(seq, text);
    }
  }
  const texts = new Map([...numbers].map(([seq, text]) => [text, seq]));
  if (texts.size !== numbers.size) violations.push("A line has two numbers.");
  // A client with at most one fresh state received every line.
  const witnesses = clients.filter(({ room }) => room.counts.fresh <= 1);
  for (const { text, is, seq } of (
    await Promise.all(clients.map((client) => client.settledActions()))
  ).flat()) {
    if (!text.includes(" says ")) continue;
    const actual = texts.get(text);
    if (is === "refused" && actual !== undefined) violations.push(`"${text}" was refused, and is ${actual}`);
    if (is !== "done") continue;
    if (seq !== undefined && actual !== undefined && seq !== actual)
      violations.push(`"${text}" is ${actual}, not ${seq}`);
    for (const { user, receivedLines: heard } of witnesses) {
      if (!heard.has(text)) violations.push(`${user} never received "${text}"`);
    }
  }
  return violations;
}
