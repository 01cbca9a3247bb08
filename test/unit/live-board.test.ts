import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LiveTop } from "../../src/protocol/live";
import { LiveBoard } from "../../src/services/boards/live/live-board";

const AT = Date.UTC(2026, 10, 20, 12);
const HOUR_MS = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers({ now: AT });
});
afterEach(() => {
  vi.useRealTimers();
});

function openBoard() {
  const database = { version: 1, points: 5, looks: 0, reads: 0, isAway: false };
  const ask = <T>(answer: T): Promise<T> =>
    database.isAway
      ? Promise.reject(new Error("D1_ERROR: Network connection lost."))
      : Promise.resolve(answer);
  const top = (): LiveTop => ({
    version: database.version,
    updatedAt: AT,
    entries: [
      { rank: 1, user: "ann", name: "Ann", points: database.points },
      { rank: 2, user: "bob", name: "Bob", points: 1 },
    ],
  });
  const board = new LiveBoard(
    {
      board: "main",
      period: "all",
      version: () => {
        database.looks += 1;
        return ask(database.version);
      },
      top: () => {
        database.reads += 1;
        return ask(top());
      },
    },
    30_000,
  );
  return {
    board,
    database,
    award(points: number) {
      database.points += points;
      database.version += 1;
    },
    listen(knows?: string, endsAt = AT + HOUR_MS) {
      const body = board.subscribe(knows, endsAt);
      if (!body) throw new Error("The board is full.");
      return readStream(body);
    },
  };
}

/** Reads all that comes, until the stop condition holds or the stream is cancelled. */
function readStream(body: ReadableStream<Uint8Array>) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const heard: string[] = [];
  let isOver = false;
  let reads = true;
  void (async () => {
    while (reads) {
      const { value, done } = await reader.read();
      isOver ||= done;
      if (done) return;
      heard.push(decoder.decode(value));
    }
  })();
  return {
    heard,
    events: () => heard.filter((text) => text.startsWith("event: ")),
    lastId: () => /^id: (.*)$/m.exec(heard.findLast((text) => text.startsWith("event: ")) ?? "")?.[1],
    isOver: () => isOver,
    stopReading: () => {
      reads = false;
    },
    leave: () => reader.cancel(),
  };
}

describe("a live board", () => {
  it("[V1] [V2] the stream begins with the whole board, sends each change once, and nothing while nothing changes", async () => {
    const { listen, award, database } = openBoard();
    const ann = listen();
    await vi.advanceTimersByTimeAsync(10);
    expect(ann.heard[0]).toMatch(/^retry: \d{4}\n\n$/);
    expect(ann.events()).toEqual([
      expect.stringMatching(/^event: board\nid: 1-[0-9a-f]{8}\ndata: \{"board":"main",/),
    ]);
    for (let time = 0; time < 7; time += 1) award(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ann.events()).toHaveLength(2);
    expect(ann.events()[1]).toMatch(
      /^event: change\nid: 8-[0-9a-f]{8}\ndata: \{.*"points":12\}\],"gone":\[\]\}\n\n$/,
    );
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ann.events()).toHaveLength(2);
    expect([database.looks, database.reads]).toEqual([11, 2]);
    await ann.leave();
  });

  it("[V3] a reader resumes from a known id: with nothing if it is current, a change if the id is known, else the whole board", async () => {
    const { listen, award } = openBoard();
    const stays = listen();
    const goes = listen();
    await vi.advanceTimersByTimeAsync(10);
    const knows = goes.lastId();
    await goes.leave();
    const same = listen(knows);
    award(1);
    await vi.advanceTimersByTimeAsync(1_000);
    const resumed = listen(knows);
    const stranger = listen("1-00000000");
    await vi.advanceTimersByTimeAsync(10);
    expect(same.events()).toEqual([expect.stringMatching(/^event: change\n/)]);
    expect(resumed.events()).toEqual(same.events());
    expect(stranger.events()).toEqual([expect.stringMatching(/^event: board\n/)]);
    const upToDate = listen(stays.lastId());
    await vi.advanceTimersByTimeAsync(5_000);
    expect(upToDate.events()).toEqual([]);
    for (const one of [stays, same, resumed, stranger, upToDate]) await one.leave();
  });

  it("[V2] the stream sends within half a board's age what raises no version, such as a ban", async () => {
    const { listen, database } = openBoard();
    const ann = listen();
    await vi.advanceTimersByTimeAsync(10);
    database.points = 3;
    await vi.advanceTimersByTimeAsync(31_000);
    expect(ann.events()[1]).toContain('"points":3');
    await ann.leave();
  });

  it("[V4] the stream sends something every 15 s, and ends after an hour with a time to come back", async () => {
    const { listen, board } = openBoard();
    const ann = listen();
    await vi.advanceTimersByTimeAsync(61_000);
    expect(ann.heard.filter((text) => text === ":\n\n")).toHaveLength(4);
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(ann.isOver()).toBe(true);
    expect(ann.heard.at(-1)).toMatch(/^retry: \d{4}\n\n$/);
    expect(board.isAwake).toBe(false);
  });

  it("[V6] the board has no timer and reads nothing without listeners, and the next listener gets the newest state", async () => {
    const { listen, award, board, database } = openBoard();
    const all = [listen(), listen(), listen()];
    await vi.advanceTimersByTimeAsync(3_000);
    for (const one of all) await one.leave();
    expect([board.isAwake, vi.getTimerCount()]).toEqual([false, 0]);
    const { looks, reads } = database;
    award(1);
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(database).toMatchObject({ looks, reads });
    const late = listen(undefined, AT + 3 * HOUR_MS);
    await vi.advanceTimersByTimeAsync(10);
    expect(late.events()).toEqual([expect.stringContaining('"points":6')]);
    await late.leave();
  });

  it("[V5] the stream opens while the database is away, reads it less and less often, and sends the board once it is back", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const { listen, database } = openBoard();
    database.isAway = true;
    const ann = listen();
    await vi.advanceTimersByTimeAsync(61_000);
    expect(ann.events()).toEqual([]);
    expect(ann.heard).toContain(": database-away\n\n");
    expect(database.reads).toBeLessThan(10);
    database.isAway = false;
    await vi.advanceTimersByTimeAsync(15_000);
    expect(ann.events()).toHaveLength(1);
    await ann.leave();
  });

  it("[V4] the stream buffers some kilobytes for a stalled reader, and closes after a minute", async () => {
    const { listen, award, board } = openBoard();
    const deaf = listen();
    await vi.advanceTimersByTimeAsync(10);
    deaf.stopReading();
    for (let time = 0; time < 400; time += 1) {
      award(1);
      await vi.advanceTimersByTimeAsync(1_000);
      if (!board.isAwake) break;
    }
    expect(board.isAwake, "the reader was closed").toBe(false);
  });

  it("[V4] a reader that is closed gets nothing of the buffer: its stream has failed and is discarded", async () => {
    const { board, award } = openBoard();
    const body = board.subscribe(undefined, AT + HOUR_MS);
    if (!body) throw new Error("The board is full.");
    for (let time = 0; time < 400 && board.isAwake; time += 1) {
      award(1);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(board.isAwake, "the reader was closed").toBe(false);
    await expect(body.getReader().read()).rejects.toThrow("The reader of this stream has stalled.");
  });

  it("[V4] the stream ends after 4 MiB for every reader, with a time to come back and nothing lost", async () => {
    const name = "x".repeat(100_000);
    let version = 1;
    const top = (): LiveTop => ({
      version,
      updatedAt: AT,
      entries: [{ rank: 1, user: "ann", name, points: version }],
    });
    const source = {
      board: "main",
      period: "all",
      version: async () => version,
      top: async () => top(),
    };
    const board = new LiveBoard(source, 30_000);
    const listen = (knows?: string) => {
      const body = board.subscribe(knows, AT + HOUR_MS);
      if (!body) throw new Error("The board is full.");
      return readStream(body);
    };
    const first = listen();
    let seconds = 0;
    for (; seconds < 100 && !first.isOver(); seconds += 1) {
      version += 1;
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(seconds).toBeGreaterThan(40);
    expect(first.isOver()).toBe(true);
    expect(first.heard.at(-1)).toMatch(/^retry: \d{4}\n\n$/);
    expect(first.events()).toHaveLength(42);
    const again = listen(first.lastId());
    await vi.advanceTimersByTimeAsync(10);
    expect(
      again.events().map((text) => text.slice(0, 13)),
      "the change since that id",
    ).toEqual(["event: change"]);
    await again.leave();
  });

  it("[V4] the board accepts no more readers than it can serve", () => {
    const { board } = openBoard();
    for (let at = 0; at < 5_000; at += 1) expect(board.subscribe(undefined, AT + HOUR_MS)).toBeDefined();
    expect(board.subscribe(undefined, AT + HOUR_MS)).toBeUndefined();
  });
});
