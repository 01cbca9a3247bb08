import { eventStreamHeaders } from "../../../src/edge/http/event-stream";
import { LiveBoard } from "../../../src/services/boards/live/live-board";
import { Boards as RealBoards } from "../../../src/worker/index";

export { Addresses, default, Rooms, Users } from "../../../src/worker/index";

const HOUR_MS = 3_600_000;
const NAME = "x".repeat(300_000);

/** A board that is all new each second, with as many bytes in a second as a real one has in minutes. */
export class Boards extends RealBoards {
  #version = 0;
  readonly #board = new LiveBoard(
    {
      board: "main",
      period: "all",
      version: async () => {
        this.#version += 1;
        return this.#version;
      },
      top: async () => ({
        version: this.#version,
        updatedAt: Date.now(),
        entries: [{ rank: 1, user: "ann", name: NAME, points: this.#version }],
      }),
    },
    HOUR_MS,
  );

  override async fetch(): Promise<Response> {
    return new Response(this.#board.subscribe(undefined, Date.now() + HOUR_MS) ?? null, {
      headers: eventStreamHeaders,
    });
  }
}
