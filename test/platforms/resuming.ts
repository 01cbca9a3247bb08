import { describe, expect, it } from "vitest";
import type { ReadEvent } from "./fold";
import type { PlatformStage } from "./platform-stage";
import type { PartyClient } from "./sockets";
import type { Frame, Welcome } from "./wire";

/** A client that was away gets exactly what it missed, in order, or a fresh snapshot. */
export function describeResuming(stage: PlatformStage): void {
  /** A room with a history: single events, and frames of several. */
  async function makeRoomWithHistory(): Promise<{
    room: string;
    ann: PartyClient;
    token: string;
    epoch: string;
  }> {
    const room = stage.makeRoomName("resume");
    const ann = await stage.joinAsMember(room, "ann");
    for (let round = 0; round < 4; round += 1) {
      await ann.expectEvent(ann.say(`alone ${round}`));
      await Promise.all(
        Array.from({ length: 12 }, (_, line) => ann.expectEvent(ann.say(`together ${round} ${line}`))),
      );
    }
    // Another tab of the same user: its coming is no event, so that the history stands still while it is resumed.
    return { room, ann, token: await stage.mintToken({ sub: "ann" }), epoch: String(ann.epoch) };
  }

  async function resumeFrom(story: { room: string; token: string; epoch: string }, since: number | string) {
    const client = stage.openRaw({
      room: story.room,
      query: `_pk=t${since}&token=${story.token}&epoch=${encodeURIComponent(story.epoch)}&since=${since}`,
    });
    client.seq = Number(since);
    const welcome = await client.waitForWelcome();
    return { client, welcome };
  }

  describe("resuming", () => {
    it("[W3] a client that resumes from any number, also from the middle of a frame, gets exactly the events after it, and no state", async () => {
      const story = await makeRoomWithHistory();
      const { ann } = story;
      const newest = ann.seq;
      const several = ann.messages.filter(
        (message): message is Frame => message.t === "frame" && message.e.length > 1,
      );
      expect(several.length, "there are frames to be in the middle of").toBeGreaterThan(0);
      const all = new Map<number, ReadEvent>(ann.events.map((event) => [event.seq, event]));
      for (let since = 1; since <= newest; since += 1) {
        const { client, welcome } = await resumeFrom(story, since);
        expect(welcome).toMatchObject({ resumed: true, epoch: story.epoch, seq: newest });
        await client.waitForSeq(newest);
        const missed = Array.from({ length: newest - since }, (_, index) => all.get(since + 1 + index));
        expect(client.events, `since ${since}`).toEqual(missed);
        expect(client.violations).toEqual([]);
        // Cut off, not closed: this test is not about closing fifty tabs of one user.
        client.socket.terminate();
      }
    });

    it("[W3] a client that resumes folds to the same state", async () => {
      const story = await makeRoomWithHistory();
      const { ann } = story;
      const away = stage.join({ room: story.room, token: story.token, resume: true });
      await away.waitForWelcome();
      const at = { epoch: story.epoch, since: away.seq, slices: away.slices };
      away.close();
      for (let line = 0; line < 20; line += 1) {
        await ann.expectEvent(ann.say(`meanwhile ${line}`));
      }
      const back = await stage.joinAsGuest(story.room, { token: story.token, from: at });
      await back.waitForSeq(ann.seq);
      expect(back.events).toHaveLength(20);
      expect(back.slices).toEqual(ann.slices);
      const { sums, own } = await back.verify();
      expect(own).toEqual(sums);
    });

    it("[W3] the replay is sent before anything live, and nothing is missing or double", async () => {
      const story = await makeRoomWithHistory();
      const { ann } = story;
      let talking = true;
      const talk = (async () => {
        for (let line = 0; talking; line += 1) {
          await Promise.all([
            ann.expectEvent(ann.say(`a${line}`)),
            ann.expectEvent(ann.say(`b${line}`)),
            ann.expectEvent(ann.say(`c${line}`)),
          ]);
        }
      })();
      for (let round = 0; round < 10; round += 1) {
        const { client, welcome } = await resumeFrom(story, 1 + round * 3);
        expect(welcome.resumed).toBe(true);
        // The client notes a gap or a repetition by itself; here it has to get past what was live when it came.
        await client.waitForSeq(welcome.seq + 10);
        client.close();
      }
      talking = false;
      await talk;
    });

    it("[W4] a number too far ahead or of another epoch gets a snapshot; an invalid number is refused", async () => {
      const story = await makeRoomWithHistory();
      const newest = story.ann.seq;
      const cases: [Partial<typeof story>, number | string][] = [
        [{}, newest + 1],
        [{}, Number.MAX_SAFE_INTEGER],
        [{ epoch: "another-life" }, 3],
        [{ epoch: "" }, 3],
        [{ epoch: "__proto__" }, newest],
      ];
      for (const [other, since] of cases) {
        const { welcome } = await resumeFrom({ ...story, ...other }, since);
        expect(welcome, `since ${since} of ${other.epoch ?? "its epoch"}`).toMatchObject({
          resumed: false,
          seq: newest,
        });
        expect(welcome.state).toEqual(story.ann.slices);
      }
      for (const since of ["-1", "1.5", "x", "1e3", "99999999999999999999"]) {
        const client = stage.openRaw({
          room: story.room,
          query: `_pk=odd&token=${story.token}&epoch=${story.epoch}&since=${since}`,
        });
        expect((await client.waitForBye()).code, `since=${since}`).toBe(4400);
        client.close();
      }
    });

    it("[W4] a client that is up to date resumes without events, again and again", async () => {
      const story = await makeRoomWithHistory();
      const away = stage.join({ room: story.room, token: story.token, resume: true });
      await away.waitForWelcome();
      for (let round = 1; round <= 4; round += 1) {
        away.socket.reconnect();
        const welcome: Welcome = await away.waitFor(() => away.welcomes[round], "another welcome");
        expect(welcome).toMatchObject({ resumed: true, seq: story.ann.seq });
      }
      const said = await story.ann.expectEvent(story.ann.say("and on"));
      await away.waitForSeq(said.seq);
      expect(away.events.map((event) => event.d.text)).toEqual(["and on"]);
    });

    it("[O1] an action that was not answered before a break is answered after it, once", async () => {
      const room = stage.makeRoomName("break");
      const watch = await stage.joinAsMember(room, "watch");
      const ann = await stage.joinAsMember(room, "ann", { resume: true, tab: "ann's tab, which is long" });
      const outcomes: Promise<unknown>[] = [];
      for (let round = 0; round < 5; round += 1) {
        outcomes.push(...Array.from({ length: 10 }, (_, line) => ann.say(`r${round} ${line}`)));
        ann.socket.reconnect();
        await ann.waitFor(() => ann.welcomes[round + 1], "another welcome");
      }
      await Promise.all(outcomes);
      await watch.waitForSeq(ann.seq);
      const heard = watch.events.filter((event) => event.n === "said").map((event) => String(event.d.text));
      expect([...heard].sort()).toEqual(
        Array.from({ length: 50 }, (_, index) => `r${Math.floor(index / 10)} ${index % 10}`).sort(),
      );
    });
  });
}
