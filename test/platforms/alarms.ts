import { describe, expect, it } from "vitest";
import type { PlatformStage } from "./platform-stage";
import { eventually } from "./waiting";

/** Longer than it takes an idle room to be evicted: the alarm has to wake the room. */
export const ALARM_ENV = { IDLE_MS: "14000", LEAVE_GRACE_MS: "2000" };

export interface AlarmRooms {
  storedRooms: string[];
  untouchedRoom: string;
}

/** Rooms that have something stored, each in its own way, and one that has nothing. */
export async function setAlarms(stage: PlatformStage): Promise<AlarmRooms> {
  const [joined, deserted, spoken, posted, never] = ["joined", "deserted", "spoken", "posted", "never"].map(
    (about) => stage.makeRoomName(about),
  ) as [string, string, string, string, string];
  await stage.joinAsGuest(joined);
  const away = await stage.joinAsGuest(deserted);
  away.close();
  const ann = await stage.joinAsMember(spoken, "ann");
  await ann.expectEvent(ann.say("a line"));
  const token = await stage.mintToken({ sub: "root", role: "admin" });
  const first = await stage.joinAsGuest(posted);
  await stage.postAction(posted, { id: "p", f: "chat", a: "say", d: { text: "a line" } }, token);
  first.close();
  expect((await stage.getRoom(never)).status).toBe(404);
  return { storedRooms: [joined, deserted, spoken, posted], untouchedRoom: never };
}

export function describeAlarms(stage: PlatformStage, rooms: () => AlarmRooms): void {
  describe("alarms", () => {
    it("[F1] a room with anything stored always has an alarm: it wakes without a request", async () => {
      const { storedRooms: stored, untouchedRoom: never } = rooms();
      for (const room of stored) {
        await eventually(() => stage.countRestores(room) >= 2, `${room} woken by its alarm`, 40_000);
      }
      expect(stage.countRestores(never), "woken once, by the question whether it exists").toBeLessThanOrEqual(
        1,
      );
      expect((await stage.getRoom(never)).status).toBe(404);
    }, 60_000);
  });
}
