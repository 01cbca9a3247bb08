import { describe, expect, it } from "vitest";
import { checksum } from "../../src/protocol/checksum";
import { foldAll } from "./fold";
import type { PlatformStage } from "./platform-stage";
import { referenceChecksum } from "./reference-checksum";
import type { Json } from "./wire";

/** Actions and their answers, the order of events, and what a state is. */
export function describeActions(stage: PlatformStage): void {
  describe("talking", () => {
    it("[F2] every client receives a message with its number, its author and the author's operation", async () => {
      const room = stage.makeRoomName("chat");
      const ann = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob");
      const said = await ann.expectEvent(ann.say("hello", "op-1"));
      await bob.waitForSeq(said.seq);
      expect(bob.events.at(-1)).toEqual({
        f: "chat",
        n: "said",
        d: { name: "ann", text: "hello" },
        by: "ann",
        op: "op-1",
        seq: said.seq,
        at: said.at,
      });
      expect(bob.slices.chat).toEqual({
        messages: [{ id: said.seq, user: "ann", name: "ann", text: "hello", at: said.at }],
      });
      expect(Math.abs(said.at - Date.now())).toBeLessThan(5000);
    });

    it("[F1] twenty clients see the same events with the same numbers in the same order", async () => {
      const room = stage.makeRoomName("twenty");
      const names = Array.from({ length: 20 }, (_, index) => `user-${index}`);
      const clients = await Promise.all(names.map((name) => stage.joinAsMember(room, name)));
      await Promise.all(
        clients.map(async (client, index) => {
          for (let line = 0; line < 10; line += 1) {
            await client.expectEvent(client.say(`${index}: ${line}`));
          }
        }),
      );
      const last = Math.max(...clients.map((client) => client.seq));
      expect(last).toBe(20 + 200);
      await Promise.all(clients.map((client) => client.waitForSeq(last)));
      const [first, ...others] = clients.map((client) => client.events.filter((event) => event.n === "said"));
      expect(first).toHaveLength(200);
      for (const other of others) {
        expect(other).toEqual(first);
      }
      for (const [index] of names.entries()) {
        const own = first?.filter((event) => event.by === `user-${index}`).map((event) => event.d.text);
        expect(own, "and each user's lines in the order of sending").toEqual(
          Array.from({ length: 10 }, (_, line) => `${index}: ${line}`),
        );
      }
    });

    it("[F3] a latecomer's state equals the fold of all events", async () => {
      const room = stage.makeRoomName("late");
      const ann = await stage.joinAsMember(room, "ann");
      const host = await stage.joinAsHost(room);
      for (let line = 0; line < 130; line += 1) {
        await Promise.all([
          ann.expectEvent(ann.say(`ann ${line}`)),
          host.expectEvent(host.say(`host ${line} 💬 "\\`)),
        ]);
      }
      const mistake = await ann.expectEvent(ann.say("a mistake"));
      await host.expectEvent(host.do("chat", "remove", { id: mistake.seq }));
      await host.expectEvent(host.say("where were we"));
      await ann.expectEvent(
        ann.do("presence", "set", { status: "away", data: { mood: ["a", 1.5, null, { z: 1, a: 2 }] } }),
      );

      const late = await stage.joinAsMember(room, "late");
      const { state = {}, seq } = await late.waitForWelcome();
      await ann.waitForSeq(seq);
      expect(state).toEqual(ann.slices);
      expect((state.chat as { messages: Json[] }).messages).toHaveLength(100);

      const historian = await stage.readHistory(
        room,
        String(ann.epoch),
        await stage.mintToken({ sub: "late" }),
      );
      expect(historian.events.map((event) => event.seq)).toEqual(
        historian.events.map((_, index) => index + 1),
      );
      expect(foldAll(historian.events.slice(0, seq))).toEqual(state);
    });

    it("[F3] `verify` answers with the checksums that the client computes", async () => {
      const room = stage.makeRoomName("verify");
      const ann = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob");
      await ann.expectEvent(ann.say('é ü 漢字 💥 \u2028 " \\ \u0001'));
      await bob.expectEvent(
        bob.do("presence", "set", { data: { b: 1e21, a: 1e-7, "": -0.5, é: [], "\u{1f600}": {} } }),
      );
      for (const client of [ann, bob]) {
        const { seq, sums, own } = await client.verify();
        expect(Object.keys(sums).sort()).toEqual(Object.keys(client.slices).sort());
        expect(own).toEqual(sums);
        expect(seq).toBe(client.seq);
      }
      for (const slice of Object.values(ann.slices)) {
        expect(checksum(slice), "the project's own function says the same").toBe(referenceChecksum(slice));
      }
    });

    it("[F1] the answer to `verify` amid chatter names a number and is right for it", async () => {
      const room = stage.makeRoomName("verify");
      const ann = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob");
      const talk = Promise.all(Array.from({ length: 150 }, (_, line) => bob.say(`line ${line}`)));
      for (let round = 0; round < 5; round += 1) {
        const { sums, own } = await ann.verify();
        expect(own).toEqual(sums);
      }
      await talk;
    });

    it("[O1] an action that is sent again is acknowledged with its number and happens once", async () => {
      const room = stage.makeRoomName("resend");
      const ann = await stage.joinAsMember(room, "ann");
      const first = await ann.expectEvent(ann.say("once", "the id"));
      expect(await ann.say("once", "the id")).toMatchObject({ kind: "ack", seq: first.seq });
      ann.close();
      const again = await stage.joinAsMember(room, "ann");
      expect(await again.say("once", "the id"), "also on another connection").toMatchObject({
        kind: "ack",
        seq: first.seq,
      });
      const next = await again.expectEvent(again.say("then"));
      const historian = await stage.readHistory(
        room,
        String(again.epoch),
        await stage.mintToken({ sub: "ann" }),
      );
      expect(historian.events.filter((event) => event.n === "said").map((event) => event.d.text)).toEqual([
        "once",
        "then",
      ]);
      expect(next.seq).toBeGreaterThan(first.seq);
    });

    it("[O1] an action sent many times at once happens once", async () => {
      const room = stage.makeRoomName("resend");
      const ann = await stage.joinAsMember(room, "ann");
      const answers = await Promise.all(Array.from({ length: 20 }, () => ann.say("once", "the id")));
      const [event, ...acks] = answers;
      expect(event?.kind).toBe("event");
      for (const ack of acks) {
        expect(ack).toMatchObject({ kind: "ack", seq: event?.kind === "event" ? event.seq : -1 });
      }
      expect(ann.events.filter((one) => one.n === "said")).toHaveLength(1);
    });

    it("[O1] the same id with other content is a duplicate; from another user it is another action", async () => {
      const room = stage.makeRoomName("ids");
      const ann = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob");
      await ann.expectEvent(ann.say("one", "same"));
      expect(await ann.expectNack(ann.say("two", "same"))).toMatchObject({ id: "same", code: "duplicate" });
      expect((await bob.expectEvent(bob.say("three", "same"))).d.text).toBe("three");
      expect(ann.events.filter((event) => event.n === "said").map((event) => event.d.text)).toEqual([
        "one",
        "three",
      ]);
    });

    it("[O2] the room does not keep a refusal: it judges the same id again", async () => {
      const room = stage.makeRoomName("anew");
      const ann = await stage.joinAsMember(room, "ann");
      expect(await ann.expectNack(ann.say("", "again"))).toMatchObject({ code: "bad_data" });
      expect((await ann.expectEvent(ann.say("now", "again"))).d.text).toBe("now");
    });

    it("[E2] a refusal says why, and advances no number", async () => {
      const room = stage.makeRoomName("refused");
      const ann = await stage.joinAsMember(room, "ann");
      const before = (await ann.expectEvent(ann.say("before"))).seq;
      const refusals: [string, string, Json, string[]][] = [
        ["chat", "say", { text: "" }, ["bad_data"]],
        ["chat", "say", { text: "x".repeat(501) }, ["bad_data", "too_large"]],
        ["chat", "say", { text: 5 }, ["bad_data"]],
        ["chat", "say", {}, ["bad_data"]],
        ["chat", "say", null, ["bad_data"]],
        ["chat", "say", { text: "\ud800" }, ["bad_data", "bad_message"]],
        ["chat", "say", { text: "a\u0000b" }, ["bad_data", "bad_message"]],
        ["chat", "shout", { text: "x" }, ["bad_action"]],
        ["nosuch", "say", { text: "x" }, ["bad_action"]],
        ["presence", "set", { status: "x".repeat(65) }, ["bad_data", "too_large"]],
        ["presence", "set", { data: { x: "y".repeat(1100) } }, ["bad_data", "too_large"]],
      ];
      for (const [f, a, d, codes] of refusals) {
        const nack = await ann.expectNack(ann.do(f, a, d));
        expect(codes, `${f}.${a} ${JSON.stringify(d).slice(0, 60)}`).toContain(nack.code);
      }
      const issues = (await ann.expectNack(ann.say(""))).info?.issues;
      expect(issues?.[0]).toMatchObject({ message: expect.any(String) });
      expect((await ann.expectEvent(ann.say("after"))).seq).toBe(before + 1);
    });

    it("[P] lengths are in code points: 500 emoji are 500", async () => {
      const ann = await stage.joinAsMember(stage.makeRoomName("emoji"), "ann");
      expect((await ann.expectEvent(ann.say("💥".repeat(500)))).d.text).toBe("💥".repeat(500));
      expect((await ann.expectNack(ann.say("💥".repeat(501)))).code).toMatch(/bad_data|too_large/);
      const { sums, own } = await ann.verify();
      expect(own).toEqual(sums);
    });

    it("[M5] unknown fields are ignored, in messages and in data", async () => {
      const ann = await stage.joinAsMember(stage.makeRoomName("fields"), "ann");
      const outcome = ann.expectOutcome("op-x", "");
      ann.send({
        t: "do",
        id: "op-x",
        f: "chat",
        a: "say",
        d: { text: "hi", loud: true },
        later: { version: 2 },
        by: "bob",
      });
      const said = await ann.expectEvent(outcome);
      expect(said.d).toEqual({ name: "ann", text: "hi" });
      expect(said.by).toBe("ann");
      ann.send({ t: "verify", please: true });
      await ann.waitFor(() => ann.checksums[0], "a checksum");
    });

    it("a clock probe is answered with the room's own time", async () => {
      const ann = await stage.joinAsMember(stage.makeRoomName("clock"), "ann");
      ann.send({ t: "clock", t0: 1234.5 });
      const clock = await ann.waitFor(() => ann.messages.find((message) => message.t === "clock"), "a clock");
      expect(clock).toMatchObject({ t: "clock", t0: 1234.5 });
      expect(clock.t === "clock" && clock.t2 >= clock.t1 && Math.abs(clock.t1 - Date.now()) < 5000).toBe(
        true,
      );
    });

    it("[M2] the exact text `ping` is answered by the exact text `pong`", async () => {
      const ann = await stage.joinAsMember(stage.makeRoomName("ping"), "ann");
      ann.send("ping");
      await ann.waitFor(() => ann.pongCount === 1, "a pong");
      const other = await stage.joinAsMember(stage.makeRoomName("ping"), "ann");
      other.send("ping ");
      expect(
        await other.waitFor(() => other.messages.find((message) => message.t === "nack"), "a nack"),
      ).toMatchObject({
        code: "bad_message",
      });
    });

    it("[W5] the welcome lists every limit", async () => {
      const ann = await stage.joinAsMember(stage.makeRoomName("limits"), "ann");
      const { limits, features } = await ann.waitForWelcome();
      expect(limits).toMatchObject({
        maxBytes: 16_384,
        recoveryMs: 120_000,
        pingMs: 20_000,
        silentMs: 45_000,
      });
      expect(limits.resendMs).toBeGreaterThan(0);
      for (const rule of ["presence.set", "chat.remove", "chat.typing"]) {
        expect(limits.rules[rule], rule).toMatchObject({
          count: expect.any(Number),
          perMs: expect.any(Number),
        });
      }
      expect(Object.keys(features).sort()).toEqual(Object.keys(ann.slices).sort());
    });
  });
}
