import { joinRoom, type RoomClient } from "../../src/client/room-client";
import type { main } from "../../src/kinds/main";
import type { NumberedEvent } from "../../src/protocol/messages";
import type { Promised } from "../support/told-alike";
import { PlainWebSocket } from "./sockets";
import type { Stage } from "./stage";

/** Somebody with our own client, who notes all that it tells them. */
export class Visitor {
  readonly room: RoomClient<typeof main>;
  /** Since its state last came whole. */
  readonly events: NumberedEvent[] = [];
  readonly asked: { id: string; text: string; outcome: Promise<Promised> }[] = [];
  /** When it set out for each of its connections. */
  readonly setOutAt: number[] = [];
  differed = 0;
  #said = 0;

  constructor(
    stage: Stage,
    /** The server's, or that of a proxy before it. */
    host: string,
    room: string,
    readonly user: string,
    tab?: string,
  ) {
    this.room = joinRoom({
      host: `http://${host}`,
      kind: "main",
      room,
      getToken: () => stage.token({ sub: user, name: user }),
      WebSocket: PlainWebSocket,
      ...(tab === undefined ? {} : { tab }),
    });
    this.room.on("event", (event) => void this.events.push(event));
    this.room.on("fresh", () => {
      this.events.length = 0;
    });
    this.room.on("differs", () => void this.differed++);
    let dueAt = Number.POSITIVE_INFINITY;
    this.room.on("status", (status) => {
      if (status.is === "waiting") dueAt = status.retryAt;
      // A thousand share one event loop here, which no real crowd does: what makes it late is none of their doing.
      if (status.is === "connecting") this.setOutAt.push(Math.min(Date.now(), dueAt));
    });
  }

  /** Says a line, and keeps what becomes of it. */
  say(text = `${this.user} says ${this.#said}`): Promise<Promised> {
    this.#said++;
    const id = `${this.user} ${this.#said}`;
    const outcome = this.room.do("chat", "say", { text }, { id }).then(
      ({ seq }): Promised => ({
        user: this.user,
        id,
        text,
        outcome: { is: "done", ...(seq === undefined ? {} : { seq }) },
      }),
      (error: { code?: string }): Promised => ({
        user: this.user,
        id,
        text,
        outcome: { is: error.code === "unknown_outcome" ? "unknown" : "refused" },
      }),
    );
    this.asked.push({ id, text, outcome });
    return outcome;
  }

  promises(): Promise<Promised[]> {
    return Promise.all(this.asked.map(({ outcome }) => outcome));
  }

  get isLive(): boolean {
    return this.room.status.is === "live";
  }

  get seq(): number {
    return this.room.position.seq;
  }

  /** Features whose state is not the room's. */
  async differing(): Promise<readonly string[]> {
    return (await this.room.verify()).differing;
  }

  leave(): void {
    this.room.leave();
  }
}
