import { describe, expect, it } from "vitest";
import type { PlatformStage } from "./platform-stage";
import type { Frame } from "./wire";

/** Work is counted, as far as it shows from outside: a peer counts what it is sent. */
export function describeSendCounts(stage: PlatformStage): void {
  const framesOf = (messages: readonly { t: string }[]) =>
    messages.filter((message): message is Frame => message.t === "frame");

  describe("work", () => {
    it("[F4] a burst of 1,000 actions within a second costs at most 250 sends per peer, and each is answered", async () => {
      const room = stage.makeRoomName("burst");
      const watch = await stage.joinAsMember(room, "watch");
      const people = await Promise.all(
        Array.from({ length: 20 }, (_, index) => stage.joinAsMember(room, `user-${index}`)),
      );
      const last = Math.max(...people.map((one) => one.seq));
      await Promise.all([watch, ...people].map((one) => one.waitForSeq(last)));
      const before = [watch, ...people].map((one) => one.messages.length);
      const startedAt = Date.now();
      const said = people.flatMap((one, index) =>
        Array.from({ length: 50 }, (_, line) => one.expectEvent(one.say(`${index} ${line}`))),
      );
      expect(Date.now() - startedAt, "within a second").toBeLessThan(1000);
      await Promise.all(said);
      await Promise.all([watch, ...people].map((one) => one.waitForSeq(last + 1000)));
      for (const [index, one] of [watch, ...people].entries()) {
        const sends = one.messages.length - Number(before[index]);
        expect(sends, `sends to ${one.you.user}`).toBeLessThanOrEqual(250);
      }
      expect(watch.events.filter((event) => event.n === "said")).toHaveLength(1000);
    }, 30_000);

    it("[F4] an action in a quiet room is sent at once, alone in its frame; later ones share the next", async () => {
      const room = stage.makeRoomName("quiet");
      const ann = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob");
      await ann.waitForSeq(2);
      const waits: number[] = [];
      for (let round = 0; round < 9; round += 1) {
        await new Promise((resolve) => setTimeout(resolve, 120));
        const from = framesOf(bob.messages).length;
        const startedAt = performance.now();
        const lines = Array.from({ length: 40 }, (_, line) => ann.expectEvent(ann.say(`${round} ${line}`)));
        await lines[0];
        waits.push(performance.now() - startedAt);
        const last = (await Promise.all(lines)).at(-1);
        await bob.waitForSeq(Number(last?.seq));
        const frames = framesOf(bob.messages).slice(from);
        expect(frames[0]?.e).toHaveLength(1);
        expect(frames.length, "forty lines in few frames").toBeLessThan(20);
      }
      const median = waits.sort((a, b) => a - b)[4];
      expect(median, "milliseconds until a quiet room has answered").toBeLessThan(50);
    });

    it("[F2] the events of one action never span frames, and numbers are without a gap", async () => {
      const room = stage.makeRoomName("frames");
      const ann = await stage.joinAsMember(room, "ann");
      await Promise.all(
        Array.from({ length: 300 }, (_, line) => ann.expectEvent(ann.say("💥".repeat(450 + (line % 50))))),
      );
      const frames = framesOf(ann.messages);
      for (const frame of frames) {
        expect(frame.e.at(-1)?.op, "a frame ends with an action's last event").toBeDefined();
        expect(JSON.stringify(frame).length, "a frame fits in one stored value").toBeLessThan(131_072);
      }
      expect(ann.events.map((event) => event.seq)).toEqual(ann.events.map((_, index) => 2 + index));
      expect(ann.events.map((event) => event.at)).toEqual(
        [...ann.events.map((event) => event.at)].sort((a, b) => a - b),
      );
    }, 30_000);
  });
}
