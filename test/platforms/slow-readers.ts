import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import type { TestClient } from "../support/test-client";
import type { PlatformStage } from "./platform-stage";
import type { PartyClient, RawClient } from "./sockets";
import { eventually, pause } from "./waiting";

const SILENT = 200;
const READING = 20;
/** Twelve megabytes to each: what two runtimes' sockets hold between them unread is six at most. */
const LINES = 300;
const LINE = "💬".repeat(490);

/** What the server may grow by: the paused hold half a megabyte each, and a room its history; without pausing it was 1.5 GB. */
const BOUND_BYTES = 250 * 1024 * 1024;

/** Thirty seconds, and what an alarm may be late. */
const CLOSED_WITHIN_MS = 40_000;

/** The clients of the loud room. */
export interface SlowReaderRoom {
  room: string;
  readers: PartyClient[];
  pausedReader: RawClient;
  silent: NonReadingSocket[];
  floodedUntil: number;
}

export async function joinSlowReaders(stage: PlatformStage): Promise<SlowReaderRoom> {
  const room = stage.makeRoomName("slow");
  const readers = await Promise.all(
    Array.from({ length: READING }, (_, index) => stage.joinAsMember(room, `user-${index}`)),
  );
  const pausedReader = stage.openRaw({
    room,
    query: `_pk=pausedReader&token=${await stage.mintToken({ sub: "pausedReader" })}`,
  });
  await pausedReader.waitForWelcome();
  const silent: NonReadingSocket[] = [];
  for (let nth = 0; nth < SILENT; nth += 20) {
    const tokens = Array.from({ length: 20 }, (_, index) =>
      stage.mintToken({ sub: `silent-${nth + index}` }),
    );
    silent.push(
      ...(await Promise.all(
        tokens.map(async (token) => NonReadingSocket.join(stage.server.http, room, await token)),
      )),
    );
  }
  return { room, readers, pausedReader, silent, floodedUntil: 0 };
}

/** The room is loud: readers do not notice, and the server does not buffer what the others leave unread. */
export function describeSlowReaders(stage: PlatformStage, getRoom: () => SlowReaderRoom): void {
  describe("readers too slow", () => {
    it(`[F6] ${SILENT} sockets that never read beside ${READING} that do: the readers miss nothing, and memory stays bounded`, async () => {
      const { room, readers, pausedReader } = getRoom();
      expect((await stage.getRoom(room)).body.connections).toBe(SILENT + READING + 1);
      pausedReader.socket.pause();

      const before = await stage.server.rss();
      let most = before;
      const meter = setInterval(async () => {
        most = Math.max(most, await stage.server.rss());
      }, 250);
      const waits: number[] = [];
      await Promise.all(
        readers.map(async (one, index) => {
          for (let line = 0; line < LINES; line += 1) {
            // Four megabytes later, which is well within what recovery keeps.
            if (index === 0 && line === LINES / 3) pausedReader.socket.resume();
            const startedAt = Date.now();
            await one.expectEvent(one.say(`${index}.${line}`.padEnd(10) + LINE));
            waits.push(Date.now() - startedAt);
          }
        }),
      );
      const last = Math.max(...readers.map((one) => one.seq));
      await Promise.all(readers.map((one) => one.waitForSeq(last, 20_000)));
      clearInterval(meter);
      getRoom().floodedUntil = Date.now();

      const [first, ...others] = readers.map(readLines);
      expect(first).toHaveLength(READING * LINES);
      for (const other of others) {
        expect(other).toEqual(first);
      }
      for (const one of readers) {
        expect(one.byes).toEqual([]);
        expect(one.welcomes).toHaveLength(1);
      }
      waits.sort((a, b) => a - b);
      expect(waits[Math.floor(waits.length * 0.99)], "milliseconds that 99 of 100 lines take").toBeLessThan(
        1500,
      );
      expect(most - before, "bytes that the server has grown by").toBeLessThan(BOUND_BYTES);
    }, 60_000);

    it("[F6] a client that stopped reading for a while catches up from the journal without a gap", async () => {
      const { readers, pausedReader } = getRoom();
      const [one] = readers;
      await pausedReader.waitForSeq(Number(one?.seq), 20_000);
      expect(pausedReader.byes).toEqual([]);
      expect(one && readLines(pausedReader)).toEqual(one && readLines(one));
      const { sums, own } = await pausedReader.verify();
      expect(own).toEqual(sums);
    }, 30_000);
  });
}

/** Later: those who read nothing have been closed. */
export function describeClosedReaders(stage: PlatformStage, getRoom: () => SlowReaderRoom): void {
  describe("readers who never read", () => {
    it("[F6] the room paused, then closed them with a reason; the others are connected as before", async () => {
      const { room, readers, pausedReader, silent, floodedUntil: loudUntil } = getRoom();
      // No request before this: it would wake a sleeping room, which is its alarm's work here.
      await pause(loudUntil + CLOSED_WITHIN_MS - Date.now());
      expect((await stage.getRoom(room)).body.connections, "those who never read are gone").toBe(READING + 1);
      const all = Number(readers[0]?.bytes);
      await Promise.all(silent.map((one) => one.waitForClose(20_000)));
      for (const one of silent) {
        expect(one.bytes, "paused long before the end").toBeLessThan(all / 2);
      }
      const said = await readers[0]?.expectEvent(readers[0].say("peace"));
      await Promise.all([...readers, pausedReader].map((one) => one.waitForSeq(Number(said?.seq))));
      expect(readers.flatMap((one) => one.byes)).toEqual([]);
    }, 90_000);
  });
}

function readLines(client: TestClient): [number, string | undefined][] {
  return client.events.filter((event) => event.n === "said").map((event) => [event.seq, event.by]);
}

/** A socket that completes the upgrade and then never reads, until the test reads how it ended. */
class NonReadingSocket {
  bytes = 0;
  lastText = "";
  private constructor(private readonly socket: Socket) {
    socket.on("error", () => undefined);
  }

  static async join(http: string, room: string, token: string): Promise<NonReadingSocket> {
    const { hostname, port, host } = new URL(http);
    const socket = connect(Number(port), hostname);
    const client = new NonReadingSocket(socket);
    await new Promise<void>((resolve, reject) => {
      let head = "";
      const read = (chunk: Buffer) => {
        head += chunk.toString("latin1");
        if (head.includes("\r\n\r\n")) {
          socket.off("data", read);
          socket.pause();
          head.startsWith("HTTP/1.1 101") ? resolve() : reject(new Error(head));
        }
      };
      socket.on("data", read);
      socket.once("error", reject);
      socket.write(
        [
          `GET /parties/main/${room}?_pk=silent&token=${token} HTTP/1.1`,
          `Host: ${host}`,
          "Upgrade: websocket",
          "Connection: Upgrade",
          "Sec-WebSocket-Version: 13",
          `Sec-WebSocket-Key: ${Buffer.from("sixteen bytes ok").toString("base64")}`,
          "\r\n",
        ].join("\r\n"),
      );
    });
    return client;
  }

  /** Reads all that is there: what it was sent, then a bye and a close of the same code. */
  async waitForClose(ms: number): Promise<void> {
    this.socket.on("data", (chunk: Buffer) => {
      this.bytes += chunk.length;
      this.lastText = (this.lastText + chunk.toString("latin1")).slice(-2000);
    });
    this.socket.resume();
    const closeCode = String.fromCharCode(4408 >> 8, 4408 & 0xff);
    const isClosed = () => {
      const bye = this.lastText.indexOf('"t":"bye","code":4408');
      return bye >= 0 && this.lastText.indexOf(closeCode, bye) > bye;
    };
    await eventually(isClosed, "a bye, and a close with its code", ms);
    this.socket.destroy();
  }
}
