import { describe, expect, it } from "vitest";
import type { Stage } from "./stage";
import { eventually } from "./waiting";

/** Longer than it takes an idle room to be evicted: the alarm finds nobody awake, and has to bring the room to life. */
export const DROWSY = { IDLE_MS: "14000", LEAVE_GRACE_MS: "2000" };

export interface Alarmed {
  stored: string[];
  never: string;
}

/** Rooms that have something stored, each in its own way, and one that has nothing. */
export async function setAlarms(stage: Stage): Promise<Alarmed> {
  const [joined, deserted, spoken, posted, never] = ["joined", "deserted", "spoken", "posted", "never"].map(
    (about) => stage.room(about),
  ) as [string, string, string, string, string];
  await stage.guest(joined);
  const away = await stage.guest(deserted);
  away.close();
  const ann = await stage.member(spoken, "ann");
  await ann.done(ann.say("a line"));
  const token = await stage.token({ sub: "root", role: "admin" });
  const first = await stage.guest(posted);
  await stage.post(posted, { id: "p", f: "chat", a: "say", d: { text: "a line" } }, token);
  first.close();
  expect((await stage.get(never)).status).toBe(404);
  return { stored: [joined, deserted, spoken, posted], never };
}

export function alarms(stage: Stage, alarmed: () => Alarmed): void {
  describe("alarms", () => {
    it("[F1] a room with anything stored always has an alarm: it comes to life again though nobody touches it", async () => {
      const { stored, never } = alarmed();
      for (const room of stored) {
        await eventually(() => stage.restored(room) >= 2, `${room} woken by its alarm`, 40_000);
      }
      expect(stage.restored(never), "woken once, by the question whether it exists").toBeLessThanOrEqual(1);
      expect((await stage.get(never)).status).toBe(404);
    }, 60_000);
  });
}
