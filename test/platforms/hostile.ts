import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { Attacker } from "./attacker";
import { makeHostileMessages } from "./hostile-messages";
import type { PlatformStage } from "./platform-stage";
import { freshSeed, randomFrom } from "./random";
import { eventually, pause } from "./waiting";
import { INTERNAL_TEXT } from "./wire";

const COUNTS = { refused: 10_200, any: 800, signal: 400 };
const OVERSIZE = 120;
/** So many that none of them earns the thousand refusals in ten seconds that would keep them out (M6), however fast the machine. */
const ATTACKERS = 16;

/** Hostile messages: the room refuses them with a code, and other users do not notice. */
export function describeHostile(stage: PlatformStage): void {
  const seed = freshSeed();

  describe("hostile", () => {
    it(`[M1] [M3] [M4] ${COUNTS.refused} hostile messages: each gets a nack or a bye with its code, and other users do not notice (SEED=${seed})`, async () => {
      const room = stage.makeRoomName("hostile");
      const watch = await stage.joinAsMember(room, "watch");
      const elsewhere = await stage.joinAsMember(stage.makeRoomName("elsewhere"), "watch");
      const random = randomFrom(seed);
      const items = makeHostileMessages(random, COUNTS, OVERSIZE);
      const attackers = Array.from(
        { length: ATTACKERS },
        (_, index) => new Attacker(stage, room, `mallory-${index}`),
      );
      await Promise.all(
        attackers.map((attacker, index) => attacker.run(items.filter((_, nth) => nth % ATTACKERS === index))),
      );
      expect(
        attackers.flatMap((attacker) => attacker.unanswered).slice(0, 20),
        "messages without an answer",
      ).toEqual([]);
      const refusals = attackers.reduce((sum, attacker) => sum + attacker.rejectionCount, 0);
      expect(refusals).toBeGreaterThanOrEqual(10_000);

      const said = await watch.expectEvent(watch.say("and life goes on"));
      expect(watch.byes).toEqual([]);
      expect(watch.welcomes, "never thrown out").toHaveLength(1);
      expect(new Set(watch.messages.map((message) => message.t))).toEqual(new Set(["welcome", "frame"]));
      const { sums, own } = await watch.verify();
      expect(own).toEqual(sums);
      const late = await stage.joinAsMember(room, "late");
      expect(late.seq).toBeGreaterThan(said.seq);
      expect(late.slices.chat).toEqual(watch.slices.chat);
      expect(elsewhere.messages.map((message) => message.t)).toEqual(["welcome"]);
      expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    }, 120_000);

    it("[M6] a client that was closed for sending too much comes back and goes on", async () => {
      const room = stage.makeRoomName("flood");
      const watch = await stage.joinAsMember(room, "watch");
      const loud = await stage.joinAsMember(room, "loud", { resume: true });
      let sent = 0;
      while (loud.byes.length === 0 && sent < 5000) {
        for (let nth = 0; nth < 50; nth += 1) {
          loud.send("nonsense");
          sent += 1;
        }
        await pause(10);
      }
      const bye = await loud.waitForBye();
      expect(bye.code).toBe(4429);
      await loud.waitFor(() => loud.welcomes[1], "another welcome", Number(bye.retryAfterMs) + 15_000);
      const said = await loud.expectEvent(loud.say("sorry"));
      await watch.waitForSeq(said.seq);
      expect(watch.byes).toEqual([]);
    }, 40_000);

    it("[W1] the room judges messages before the welcome like later ones", async () => {
      const room = stage.makeRoomName("early");
      const token = await stage.mintToken({ sub: "ann" });
      const early = stage.openRaw({ room, query: `_pk=early&token=${token}` });
      await early.waitForOpen();
      early.send({ t: "seen", seq: 5 });
      early.send("nonsense");
      early.send({ t: "verify" });
      const outcome = early.say("so early");
      await early.expectEvent(outcome);
      expect(early.messages[0]?.t).toBe("welcome");
      expect(early.messages.filter((message) => message.t === "nack")).toHaveLength(1);
      await early.waitFor(() => early.checksums[0], "its checksum, which leaves right after the frame");
      expect(early.checksums).toHaveLength(1);
    });

    it("[A3] [A4] invalid URLs are refused with a bye or a status, and open no room", async () => {
      const room = stage.makeRoomName("address");
      const long = "x".repeat(20_000);
      const queries = [
        `_pk=${long}`,
        `token=${long}`,
        `_pk=a&name=${long}`,
        `_pk=a&${"k=v&".repeat(4000)}`,
        `_pk=a&epoch=${"e".repeat(5000)}&since=1`,
        "_pk=%00%00&token=%00",
        "_pk=a&token=%ED%A0%80",
        "_pk=a&token=a&token=b",
        "_pk=a&v=%00",
        "%",
      ];
      for (const query of queries) {
        const client = stage.openRaw({ room: `${room}-q`, query });
        await client.waitFor(() => client.messages[0] ?? client.closes[0], "an answer");
        const what = `${query.slice(0, 40)}: ${client.status ?? ""} ${client.body.slice(0, 200)} ${client.describeLast()}`;
        // A long or strange `_pk` or name may be fine; then it is a guest like others.
        const answered = client.welcomes.length > 0 || client.byes.length > 0 || (client.status ?? 0) >= 400;
        expect(answered, what).toBe(true);
        expect(client.status ?? 400, what).toBeLessThan(500);
        expect(INTERNAL_TEXT.test(client.body), what).toBe(false);
        client.close();
      }
      const paths = [
        "/parties/main/",
        "/parties/main",
        "/parties/main/%00",
        "/parties/main/%2e%2e",
        "/parties/main/%2E",
        "/parties/main/a%2Fb",
        "/parties/main/a/b/c",
        "/parties/main/%ff%fe",
        "/parties/main/%",
        `/parties/main/${"x".repeat(65)}`,
        `/parties/main/${long}`,
        "/parties/main/x%0d%0aSet-Cookie:a",
        ...(stage.platform.capabilities.unknownKindReachesEdge
          ? ["/parties//x", `/parties/${long}/x`, "/parties/__proto__/x", "/parties/constructor/x"]
          : []),
      ];
      for (const path of paths) {
        const client = stage.openRaw({ path, query: "_pk=a-tab-name-of-some-length" });
        await client.waitFor(() => client.messages[0] ?? client.closes[0], "an answer");
        const what = `${path.slice(0, 40)}: ${client.status ?? ""} ${client.body.slice(0, 200)} ${client.describeLast()}`;
        expect(client.welcomes, what).toEqual([]);
        expect(client.byes.length > 0 || (client.status ?? 0) >= 400, what).toBe(true);
        expect(client.status ?? 400, what).toBeLessThan(500);
        expect(INTERNAL_TEXT.test(client.body), what).toBe(false);
        client.close();
        const answer = await stage.fetch(path);
        expect(answer.status, what).toBeGreaterThanOrEqual(400);
        expect(answer.status, `${what} ${answer.text.slice(0, 200)}`).toBeLessThan(500);
        expect(INTERNAL_TEXT.test(answer.text), answer.text.slice(0, 300)).toBe(false);
      }
    });

    it("[M4] a violation of the WebSocket protocol closes that socket alone", async () => {
      const room = stage.makeRoomName("broken");
      const watch = await stage.joinAsMember(room, "watch");
      const token = await stage.mintToken({ sub: "mallory" });
      const frames: [string, Buffer][] = [
        ["a text that is not UTF-8", makeMaskedFrame(0x81, Buffer.from([0x7b, 0xff, 0xfe, 0xc0, 0x80]))],
        ["a reserved opcode", makeMaskedFrame(0x83, Buffer.from("x"))],
        ["reserved bits", makeMaskedFrame(0xf1, Buffer.from('{"t":"verify"}'))],
        ["an unmasked frame", Buffer.from([0x81, 0x02, 0x7b, 0x7d])],
        ["a continuation of nothing", makeMaskedFrame(0x80, Buffer.from("x"))],
        [
          "a control frame too long",
          Buffer.from([0x89, 0xfe, 0x00, 0x80, 0, 0, 0, 0, ...new Array(128).fill(0)]),
        ],
        ["a close with one byte", makeMaskedFrame(0x88, Buffer.from([0x03]))],
        [
          "a length of 2^63",
          Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        ],
        ["no frame at all", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
        ["a message of 2 MB", makeMaskedFrame(0x81, Buffer.alloc(2_000_000, 0x78))],
      ];
      for (const [about, bytes] of frames) {
        const received = await sendRawBytes(stage, room, token, bytes);
        expect(INTERNAL_TEXT.test(received), `${about}: ${received.slice(0, 300)}`).toBe(false);
      }
      await watch.expectEvent(watch.say("still here"));
      expect(watch.byes).toEqual([]);
      expect(watch.welcomes).toHaveLength(1);
      await eventually(
        async () => (await stage.getRoom(room)).body.connections === 1,
        "the broken are gone",
        20_000,
      );
    }, 40_000);
  });
}

function makeMaskedFrame(head: number, payload: Buffer): Buffer {
  const length =
    payload.length < 126
      ? Buffer.from([0x80 | payload.length])
      : payload.length < 65_536
        ? Buffer.from([0xfe, payload.length >> 8, payload.length & 0xff])
        : Buffer.concat([Buffer.from([0xff, 0, 0, 0, 0]), uint32(payload.length)]);
  return Buffer.concat([Buffer.from([head]), length, Buffer.alloc(4), payload]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A handshake, then any bytes: returns all that came back until the socket ended or had nothing to say for a while. */
async function sendRawBytes(
  stage: PlatformStage,
  room: string,
  token: string,
  bytes: Buffer,
): Promise<string> {
  const { hostname, port } = new URL(stage.server.http);
  const socket = connect(Number(port), hostname);
  let received = "";
  let sent = false;
  await new Promise<void>((resolve) => {
    let silence = setTimeout(resolve, 3000);
    socket.on("error", () => resolve());
    socket.on("close", () => resolve());
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      clearTimeout(silence);
      silence = setTimeout(resolve, 500);
      if (!sent && received.includes('"t":"welcome"')) {
        sent = true;
        socket.write(bytes);
      }
    });
    socket.write(
      [
        `GET /parties/main/${room}?_pk=raw&token=${token} HTTP/1.1`,
        `Host: ${stage.server.host}`,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${Buffer.from("sixteen bytes ok").toString("base64")}`,
        "\r\n",
      ].join("\r\n"),
    );
  });
  socket.destroy();
  return received;
}
