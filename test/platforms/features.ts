import { describe, expect, it } from "vitest";
import type { PlatformStage } from "./platform-stage";
import { pause } from "./waiting";
import { ERROR_CODES, type Json } from "./wire";

/** What the features of the kind `main` promise beyond an action and its event. */
export function describeFeatures(stage: PlatformStage): void {
  describe("features", () => {
    it("[P] only the author and a host may chat.remove", async () => {
      const room = stage.makeRoomName("remove");
      const ann = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob");
      const host = await stage.joinAsHost(room);
      const [one, two] = [await ann.expectEvent(ann.say("one")), await ann.expectEvent(ann.say("two"))];
      await bob.waitForSeq(two.seq);
      expect((await bob.expectNack(bob.do("chat", "remove", { id: one.seq }))).code).toBe("not_allowed");
      const removed = await ann.expectEvent(ann.do("chat", "remove", { id: one.seq }));
      expect(removed).toMatchObject({ f: "chat", n: "removed", d: { id: one.seq } });
      await host.expectEvent(host.do("chat", "remove", { id: two.seq }));
      expect((host.slices.chat as { messages: Json[] }).messages).toEqual([]);
      const nothing = await ann.do("chat", "remove", { id: 999_999 });
      expect(nothing.kind === "ack" || (nothing.kind === "nack" && ERROR_CODES.has(nothing.nack.code))).toBe(
        true,
      );
    });

    it("[P3] presence.set reaches all members and later ones; fields that are left out stay", async () => {
      const room = stage.makeRoomName("status");
      const ann = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob");
      const changed = await ann.expectEvent(
        ann.do("presence", "set", { status: "away", data: { x: [1, { y: "z" }] } }),
      );
      expect(changed).toMatchObject({
        n: "changed",
        d: { user: "ann", status: "away", data: { x: [1, { y: "z" }] } },
      });
      await bob.waitForSeq(changed.seq);
      expect(bob.slices.presence).toMatchObject({ members: { ann: { status: "away" } } });
      await ann.expectEvent(ann.do("presence", "set", { status: "x".repeat(64) }));
      await bob.expectEvent(bob.do("presence", "set", { status: "here", data: 1 }));
      await bob.expectEvent(bob.do("presence", "set", { status: "", data: null }));
      const late = await stage.joinAsMember(room, "late");
      const { members } = late.slices.presence as { members: Record<string, Json> };
      expect(members.ann).toMatchObject({ status: "x".repeat(64), data: { x: [1, { y: "z" }] } });
      expect(members.bob).toEqual({ name: "bob", role: "player", since: expect.any(Number) });
    });

    it("[P2] the room lists the first 200 of more than 200 members, counts all, and sends the count at most once a second", async () => {
      const room = stage.makeRoomName("crowd");
      const ann = await stage.joinAsMember(room, "ann");
      const startedAt = Date.now();
      for (let nth = 0; nth < 240; nth += 20) {
        const users = Array.from({ length: 20 }, (_, index) => `user-${nth + index}`);
        await Promise.all(users.map((user) => stage.joinAsMember(room, user)));
      }
      await ann.waitFor(() => (ann.slices.presence as { count: number }).count === 241, "a count of 241");
      const { members } = ann.slices.presence as { members: object };
      expect(Object.keys(members)).toHaveLength(200);
      const names = ann.events.map((event) => event.n);
      expect(names.filter((name) => name === "joined")).toHaveLength(199);
      const counted = names.filter((name) => name === "counted").length;
      expect(counted).toBeGreaterThan(0);
      expect(counted).toBeLessThanOrEqual(Math.ceil((Date.now() - startedAt) / 1000) + 1);
      const { sums, own } = await ann.verify();
      expect(own).toEqual(sums);
    }, 30_000);

    it("[F5] typing is a signal: others see it, it has no number, and it is not replayed", async () => {
      const room = stage.makeRoomName("typing");
      const ann = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob");
      const before = bob.seq;
      ann.send({ t: "sig", f: "chat", n: "typing", d: {} });
      const signal = await bob.waitFor(() => bob.signals[0], "a signal");
      expect(signal).toMatchObject({ f: "chat", n: "typing", by: "ann" });
      expect(bob.seq).toBe(before);
      const late = await stage.joinAsMember(room, "late");
      expect(late.slices.chat).toEqual({ messages: [] });
      expect((await late.waitForWelcome()).seq).toBe(before + 1);
    });

    it("[F5] the room reports refused signals at most once a second", async () => {
      const ann = await stage.joinAsMember(stage.makeRoomName("signals"), "ann");
      const startedAt = Date.now();
      for (let nth = 0; nth < 60; nth += 1) {
        ann.send({ t: "sig", f: "chat", n: "nosuch", d: {} });
        await pause(5);
      }
      await ann.expectEvent(ann.say("after them"));
      const nacks = ann.messages.filter((message) => message.t === "nack").length;
      expect(nacks).toBeGreaterThanOrEqual(1);
      expect(nacks).toBeLessThanOrEqual(Math.ceil((Date.now() - startedAt) / 1000) + 1);
    });
  });
}
