import { describe, expect, it } from "vitest";
import { startFlooder } from "../support/start-flooder";
import type { PlatformStage } from "./platform-stage";
import type { PartyClient } from "./sockets";
import { pause } from "./waiting";

/** The defaults, but for connections: a thousand come at once, and then a flooder does. */
export const CROWD_ENV = {
  CHAT_LIMIT: "10/60",
  ACTION_LIMIT: "50/1",
  GUEST_LIMIT: "60/900",
  CONNECT_LIMIT: "1300/60",
  RULE_LIMITS: "presence.set=0",
};

const GUESTS = 1_000;
const FLOOD_MS = Number(process.env.FLOOD_MS ?? 10_000);
const QUIET_MS = 2_000;

export function describeCrowds(stage: PlatformStage): void {
  describe("one person", () => {
    it("[L4] [L6] one person sends through a thousand bare guests what one address may, and no more", async () => {
      const room = stage.makeRoomName("guests");
      const token = await stage.mintToken({ sub: "watch" });
      const watch = stage.openRaw({ room, query: `_pk=watch&token=${token}` });
      await watch.waitForWelcome();
      let [welcome, refused, accepted] = [0, 0, 0];
      const one = async (nth: number) => {
        const guest = stage.openRaw({ room, query: `_pk=a-bare-guest-of-a-thousand-${nth}` });
        await guest.waitFor(() => guest.welcomes[0] ?? guest.byes[0], "an answer", 60_000);
        if (guest.byes[0]) {
          refused += 1;
          expect(guest.byes[0]).toMatchObject({ code: 4429, retryAfterMs: expect.any(Number) });
        } else {
          welcome += 1;
          for (let line = 0; line < 3; line += 1) {
            if ((await guest.say(`line ${line}`)).kind === "event") accepted += 1;
          }
        }
        guest.close();
      };
      for (let from = 0; from < GUESTS; from += 50) {
        await Promise.all(Array.from({ length: 50 }, (_, nth) => one(from + nth)));
      }
      console.log(
        `${stage.platform.name}: of ${GUESTS} guests ${welcome} were let in, and ${accepted} of their lines were`,
      );
      expect(welcome + refused).toBe(GUESTS);
      // Where the object was too slow for a moment, fewer are let in: some calls are given up.
      expect(welcome).toBeLessThanOrEqual(60);
      expect(welcome).toBeGreaterThan(30);
      // Where the platform reports addresses, their windows are one; else each guest's is their own.
      expect(accepted).toBe(stage.platform.capabilities.reportsClientIp ? 10 : 3 * welcome);
      expect((await stage.getRoom(room)).status).toBe(200);
    }, 120_000);

    it("[M6] the room closes a client that sends as fast as it can, says why, and hardly slows the others", async () => {
      const room = stage.makeRoomName("flood");
      const talkers = await Promise.all(["ann", "bob", "cat"].map((user) => stage.joinAsMember(room, user)));
      const reader = await stage.joinAsMember(room, "reader");
      await measureDelays(talkers, reader, 500);

      // Time is noise on a machine that others share: one clean run of three is enough, for a flood that hurts does so always.
      let summary = "";
      let isCalm = false;
      for (let attempt = 0; attempt < 3 && !isCalm; attempt += 1) {
        const quiet = p99(await measureDelays(talkers, reader, QUIET_MS));
        const token = await stage.mintToken({ sub: `flooder-${attempt}` });
        const flooder = startFlooder(
          `ws://${stage.server.host}/parties/main/${room}?_pk=flood&v=1&token=${token}`,
        );
        const loud = p99(await measureDelays(talkers, reader, FLOOD_MS));
        const did = await flooder.stop();
        summary = `p99 ${quiet} ms quiet, ${loud} ms while ${did.sent} messages were sent in ${FLOOD_MS} ms; ${did.connects} connects, byes ${JSON.stringify(did.byes)}`;
        console.log(`${stage.platform.name}: ${summary}`);
        expect(did.sent).toBeGreaterThan(1_500);
        expect(did.byes["4429"], summary).toBeGreaterThanOrEqual(1);
        expect(did.firstPauseMs).toBeGreaterThanOrEqual(10_000);
        isCalm = loud <= Math.max(50, 2 * quiet);
      }
      expect(isCalm, summary).toBe(true);
    }, 120_000);

    // Where the platform answers pings itself, a room never hears of them.
    it.each(
      stage.platform.capabilities.automaticPong ? ["seens" as const] : ["seens" as const, "pings" as const],
    )(
      "[M6] who floods with %s is closed as well",
      async (what) => {
        const room = stage.makeRoomName("flood");
        const token = await stage.mintToken({ sub: what });
        const flooder = startFlooder(
          `ws://${stage.server.host}/parties/main/${room}?_pk=flood&v=1&token=${token}`,
          what,
        );
        await pause(2_500);
        const did = await flooder.stop();
        console.log(`${stage.platform.name}: ${did.sent} ${what}, byes ${JSON.stringify(did.byes)}`);
        expect(did.sent).toBeGreaterThan(2_000);
        expect(did.byes["4429"]).toBeGreaterThanOrEqual(1);
        expect(did.firstPauseMs).toBeGreaterThanOrEqual(10_000);
      },
      60_000,
    );
  });
}

/** How long a change takes from its sender to a reader, again and again. `typing` would be a signal: this is durable. */
async function measureDelays(talkers: PartyClient[], reader: PartyClient, forMs: number): Promise<number[]> {
  const took: number[] = [];
  const run = crypto.randomUUID();
  const until = performance.now() + forMs;
  for (let nth = 0; performance.now() < until; nth += 1) {
    const talker = talkers[nth % talkers.length] as PartyClient;
    const startedAt = performance.now();
    const id = `${run}-${nth}`;
    void talker.do("presence", "set", { data: nth }, id);
    await reader.waitFor(() => reader.events.findLast((event) => event.op === id), "a change");
    took.push(performance.now() - startedAt);
    await pause(15);
  }
  return took;
}

function p99(times: number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0);
}
