import { type ActionError, joinRoom, type RoomClient } from "../../../src/client/room-client";
import type { main } from "../../../src/kinds/main";
import type { NumberedEvent } from "../../../src/protocol/messages";
import type { Random } from "../random";
import { PlainWebSocket } from "../sockets";
import { mint } from "../tokens";
import { pause } from "../waiting";
import type { Acknowledged } from "./acknowledged";

export interface Promised {
  text: string;
  is: "done" | "refused" | "unknown";
  seq?: number | undefined;
}

/** An answer is waited for so long; then it is asked for again under the same id, while the room is sure to remember it. */
const PATIENCE_MS = 20_000;
const ATTEMPTS = 3;

/** Somebody with our own client, who talks, awards points if they lead the room, and notes all that they are told. */
export class Person {
  readonly room: RoomClient<typeof main>;
  readonly promises: Promise<Promised>[] = [];
  /** Every line that they were told, and how often, since they came. */
  readonly heard = new Map<string, { seq: number; times: number }>();
  /** What they have to complain of. */
  readonly faults: string[] = [];
  awards = 0;
  #seq: number | undefined;

  constructor(
    readonly user: string,
    address: { host: string; room: string },
    private readonly acknowledged: Acknowledged,
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
      getToken: () => mint(claims),
      WebSocket: PlainWebSocket,
    });
    this.room.on("event", (event) => this.#told(event));
    this.room.on("fresh", () => {
      this.#seq = undefined;
    });
    this.room.on("differs", ({ differing }) =>
      this.faults.push(`${user}'s state differed: ${differing.join()}`),
    );
    this.room.on("status", (status) => {
      if (status.is === "ended") this.faults.push(`${user}'s visit ended: ${status.code} ${status.reason}`);
    });
  }

  /** Talks until it is over; several lines may wait for the room at once. */
  async live(isOver: () => boolean, players: readonly string[]): Promise<void> {
    const { random } = this;
    for (let n = 0; !isOver(); n++) {
      if (this.room.pending.length < 20) {
        // In threes: some numbers are not for everybody's eyes, and come back as stars.
        this.promises.push(this.#say(`${this.user} says ${n.toString(3)}`));
        if (this.isHost) void this.#award(random.pick(players), random.below(9) - 2);
      }
      await pause(100 + random.below(700));
    }
  }

  async promised(): Promise<Promised[]> {
    return Promise.all(this.promises);
  }

  async #say(text: string): Promise<Promised> {
    const { is, seq } = await this.#ask((id) =>
      this.room.do("chat", "say", { text }, { id, timeoutMs: PATIENCE_MS }),
    );
    return { text, is, seq };
  }

  async #award(user: string, points: number): Promise<void> {
    this.awards++;
    const promise = this.#ask((id) =>
      this.room.do("scores", "award", { user, points }, { id, timeoutMs: PATIENCE_MS }),
    );
    const told = promise.then(({ is }): Promised => {
      if (is === "done") this.acknowledged.add(user, points);
      if (is === "unknown") this.acknowledged.mayHave(user, points);
      return { text: `${points} to ${user}`, is };
    });
    this.promises.push(told);
    await told;
  }

  async #ask(ask: (id: string) => Promise<object>): Promise<Pick<Promised, "is" | "seq">> {
    const id = `${this.user} ${this.promises.length}`;
    for (let attempt = 1; ; attempt++) {
      try {
        const done: { seq?: number } = await ask(id);
        return { is: "done", seq: done.seq };
      } catch (error) {
        const { code, message } = error as ActionError;
        if (code !== "unknown_outcome") {
          // Nothing of what they ask is forbidden to them: only the room's absence is a reason.
          if (code !== "timeout" && code !== "unavailable")
            this.faults.push(`${this.user} was refused: ${message}`);
          return { is: "refused" };
        }
        if (attempt === ATTEMPTS) return { is: "unknown" };
      }
    }
  }

  #told({ seq, f, n, by, d }: NumberedEvent): void {
    if (this.#seq !== undefined && seq !== this.#seq + 1) {
      this.faults.push(`${this.user} was told ${seq} after ${this.#seq}`);
    }
    this.#seq = seq;
    if (f !== "chat" || n !== "said") return;
    const { text } = d as { text: string };
    const before = this.heard.get(text);
    this.heard.set(text, { seq, times: (before?.times ?? 0) + 1 });
    if (by === undefined || !text.startsWith(`${by} says `)) this.faults.push(`${text} came from ${by}`);
  }
}

/** What is not true of what they were promised, held against what everybody was told. */
export async function untruths(people: readonly Person[]): Promise<string[]> {
  const faults = people.flatMap((person) => person.faults);
  const numbers = new Map<number, string>();
  for (const { user, heard } of people) {
    for (const [text, { seq, times }] of heard) {
      if (times > 1) faults.push(`${user} heard "${text}" ${times} times`);
      const known = numbers.get(seq);
      if (known !== undefined && known !== text) faults.push(`${seq} is "${text}" and "${known}"`);
      numbers.set(seq, text);
    }
  }
  const texts = new Map([...numbers].map(([seq, text]) => [text, seq]));
  if (texts.size !== numbers.size) faults.push("A line has two numbers.");
  // Whoever was never given the state anew but once was told every line.
  const witnesses = people.filter(({ room }) => room.counts.fresh <= 1);
  for (const { text, is, seq } of (await Promise.all(people.map((person) => person.promised()))).flat()) {
    if (!text.includes(" says ")) continue;
    const told = texts.get(text);
    if (is === "refused" && told !== undefined) faults.push(`"${text}" was refused, and is ${told}`);
    if (is !== "done") continue;
    if (seq !== undefined && told !== undefined && seq !== told)
      faults.push(`"${text}" is ${told}, not ${seq}`);
    for (const { user, heard } of witnesses) {
      if (!heard.has(text)) faults.push(`${user} was never told "${text}"`);
    }
  }
  return faults;
}
