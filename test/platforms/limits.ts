import { describe, expect, it } from "vitest";
import type { PlatformStage } from "./platform-stage";
import { pause } from "./waiting";

/** The environment of these tests' server. */
export const TIGHT_LIMITS_ENV = {
  CHAT_LIMIT: "3/6",
  ACTION_LIMIT: "50/1",
  MAX_USERS: "4",
  LEAVE_GRACE_MS: "1000",
};

/** Limits hold for a user on all connections, and give the exact wait. */
export function describeLimits(stage: PlatformStage): void {
  describe("limits", () => {
    it("[L1] [W5] the welcome lists the rule, which holds for all tabs of a user and for no other user", async () => {
      const room = stage.makeRoomName("limit");
      const one = await stage.joinAsMember(room, "ann");
      const two = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob");
      expect((await one.waitForWelcome()).limits.rules["chat.say"]).toEqual({ count: 3, perMs: 6000 });
      await one.expectEvent(one.say("1"));
      await two.expectEvent(two.say("2"));
      await one.expectEvent(one.say("3"));
      const nack = await two.expectNack(two.say("4"));
      expect(nack).toMatchObject({ code: "rate_limited", info: { rule: "chat.say" } });
      expect(nack.retryAfterMs).toBeGreaterThan(0);
      expect(nack.retryAfterMs).toBeLessThanOrEqual(6000);
      await bob.expectEvent(bob.say("1"));
      two.close();
      const three = await stage.joinAsMember(room, "ann");
      expect((await three.expectNack(three.say("4"))).code, "also on a new connection").toBe("rate_limited");
    });

    it("[L1] the wait in a refusal is exact, and a refused action does not lengthen it", async () => {
      const ann = await stage.joinAsMember(stage.makeRoomName("limit"), "ann");
      const startedAt = Date.now();
      for (const text of ["1", "2", "3"]) {
        await ann.expectEvent(ann.say(text));
      }
      const first = await ann.expectNack(ann.say("4"));
      for (let time = 0; time < 5; time += 1) {
        await pause(200);
        expect((await ann.expectNack(ann.say("4"))).code).toBe("rate_limited");
      }
      const last = await ann.expectNack(ann.say("4"));
      expect(last.retryAfterMs).toBeLessThanOrEqual(Number(first.retryAfterMs) - 1000);
      await pause(Number(last.retryAfterMs) + 30);
      await ann.expectEvent(ann.say("4"));
      expect(Date.now() - startedAt).toBeGreaterThanOrEqual(6000);
    }, 20_000);

    it("[L1] [D1] [D2] [D3] windows, mutes, kicks and bans from before a kill -9 hold after it", async () => {
      const room = stage.makeRoomName("limit");
      const host = await stage.joinAsHost(room);
      const moderate = (a: string, user: string) => host.expectEvent(host.do("moderation", a, { user }));
      await stage.joinAsMember(room, "carl");
      await moderate("mute", "bob");
      await moderate("kick", "carl");
      const kickedAt = Date.now();
      await moderate("ban", "dora");
      host.close();
      const ann = await stage.joinAsMember(room, "ann", { resume: true, tab: "ann's tab, 20 characters" });
      for (const text of ["1", "2", "3"]) {
        await ann.expectEvent(ann.say(text));
      }
      const spentAt = Date.now();
      await stage.kill();
      await stage.restart();
      await ann.waitFor(() => ann.welcomes[1], "another welcome", 30_000);
      const outcome = await ann.say("4");
      if (outcome.kind === "nack") {
        expect(outcome.nack).toMatchObject({ code: "rate_limited" });
        expect(Date.now() + Number(outcome.nack.retryAfterMs)).toBeGreaterThan(spentAt + 5900);
      } else {
        expect(Date.now() - spentAt, "accepted only since the restart took longer").toBeGreaterThan(5900);
      }
      const bob = await stage.joinAsMember(room, "bob");
      expect((await bob.expectNack(bob.say("hello?"))).code).toBe("muted");
      const turnedAway = async (user: string) => {
        const query = `_pk=${user}&token=${await stage.mintToken({ sub: user })}`;
        return (await stage.openRaw({ room, query }).waitForBye()).code;
      };
      expect(await turnedAway("dora")).toBe(4403);
      if (Date.now() - kickedAt < 55_000) expect(await turnedAway("carl")).toBe(4403);
    }, 90_000);

    it("[L2] the room refuses a connection that sends too much, and no other", async () => {
      const room = stage.makeRoomName("flood");
      const calm = await stage.joinAsMember(room, "calm");
      const loud = stage.openRaw({ room, query: `_pk=loud&token=${await stage.mintToken({ sub: "loud" })}` });
      await loud.waitForWelcome();
      for (let nth = 0; nth < 400; nth += 1) {
        loud.send({ t: "verify" });
      }
      const refusal = await loud.waitFor(
        () => loud.byes[0] ?? loud.messages.find((message) => message.t === "nack"),
        "a refusal",
      );
      if (refusal.t === "bye") {
        expect(refusal.code).toBe(4429);
      } else {
        expect(refusal).toMatchObject({ code: "rate_limited", retryAfterMs: expect.any(Number) });
      }
      await calm.expectEvent(calm.say("still here"));
      const again = stage.openRaw({
        room,
        query: `_pk=loud2&token=${await stage.mintToken({ sub: "loud" })}`,
      });
      const welcome = await again.waitForWelcome();
      expect(welcome.you.user).toBe("loud");
      await again.expectEvent(again.say("calmer now"));
    });

    it("[L3] a full room closes new users but no other tab of a member, and lets users in again when there is space", async () => {
      const room = stage.makeRoomName("full");
      const members = await Promise.all(["a", "b", "c", "d"].map((user) => stage.joinAsMember(room, user)));
      const refused = stage.openRaw({ room, query: `_pk=e&token=${await stage.mintToken({ sub: "e" })}` });
      const bye = await refused.waitForBye();
      expect(bye.code).toBe(4503);
      expect(bye.retryAfterMs).toBeGreaterThan(0);
      await stage.joinAsMember(room, "a");
      members[3]?.close();
      await members[0]?.waitFor(() => members[0]?.events.some((event) => event.n === "left"), "d's left");
      expect((await stage.joinAsMember(room, "e")).you.user).toBe("e");
    });

    it("[L3] a member has at most 256 connections: the room tells one more to come back", async () => {
      const room = stage.makeRoomName("tabs");
      const token = await stage.mintToken({ sub: "ann" });
      const tabs = Array.from({ length: 256 }, (_, nth) =>
        stage.openRaw({ room, query: `_pk=tab-${nth}&token=${token}` }),
      );
      await Promise.all(tabs.map((tab) => tab.waitForWelcome()));
      const refused = await stage.openRaw({ room, query: `_pk=tab-256&token=${token}` }).waitForBye();
      expect(refused.code).toBe(4429);
      expect(refused.retryAfterMs).toBeGreaterThan(0);
      expect(tabs.flatMap((tab) => tab.byes)).toEqual([]);
      expect((await stage.getRoom(room)).body).toMatchObject({ users: 1, connections: 256 });
    }, 30_000);
  });
}
