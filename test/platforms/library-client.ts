import { joinRoom, type RoomClient } from "../../src/client/room-client";
import type { main } from "../../src/kinds/main";
import type { NumberedEvent } from "../../src/protocol/messages";
import type { SettledAction } from "../support/consistent-history";
import type { PlatformStage } from "./platform-stage";
import { UncompressedWebSocket } from "./sockets";

/** Somebody with our own client, who notes all that it tells them. */
export class LibraryClient {
  readonly room: RoomClient<typeof main>;
  /** Since its state last came whole. */
  readonly events: NumberedEvent[] = [];
  readonly actions: { id: string; text: string; outcome: Promise<SettledAction> }[] = [];
  /** When it set out for each of its connections. */
  readonly connectStartedAt: number[] = [];
  differedCount = 0;
  #lineCount = 0;

  constructor(
    stage: PlatformStage,
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
      getToken: () => stage.mintToken({ sub: user, name: user }),
      WebSocket: UncompressedWebSocket,
      ...(tab === undefined ? {} : { tab }),
    });
    this.room.on("event", (event) => void this.events.push(event));
    this.room.on("fresh", () => {
      this.events.length = 0;
    });
    this.room.on("differs", () => void this.differedCount++);
    let dueAt = Number.POSITIVE_INFINITY;
    this.room.on("status", (status) => {
      if (status.is === "waiting") dueAt = status.retryAt;
      // A thousand share one event loop here, which no real crowd does: what makes it late is none of their doing.
      if (status.is === "connecting") this.connectStartedAt.push(Math.min(Date.now(), dueAt));
    });
  }

  /** Says a line, and keeps what becomes of it. */
  say(text = `${this.user} says ${this.#lineCount}`): Promise<SettledAction> {
    this.#lineCount++;
    const id = `${this.user} ${this.#lineCount}`;
    const outcome = this.room.do("chat", "say", { text }, { id }).then(
      ({ seq }): SettledAction => ({
        user: this.user,
        id,
        text,
        outcome: { is: "done", ...(seq === undefined ? {} : { seq }) },
      }),
      (error: { code?: string }): SettledAction => ({
        user: this.user,
        id,
        text,
        outcome: { is: error.code === "unknown_outcome" ? "unknown" : "refused" },
      }),
    );
    this.actions.push({ id, text, outcome });
    return outcome;
  }

  settledActions(): Promise<SettledAction[]> {
    return Promise.all(this.actions.map(({ outcome }) => outcome));
  }

  get isLive(): boolean {
    return this.room.status.is === "live";
  }

  get seq(): number {
    return this.room.position.seq;
  }

  /** Features whose state is not the room's. */
  async verify(): Promise<readonly string[]> {
    return (await this.room.verify()).differing;
  }

  leave(): void {
    this.room.leave();
  }
}
