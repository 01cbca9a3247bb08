import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { RoomStage } from "../support/room-stage";

const USERS = 50_000;
const WINDOW_MS = 60_000;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** The size of all live objects. */
function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

it("[L5] fifty thousand users pass through a room's limiter, which keeps those of its windows and drops the old ones", async () => {
  const stage = await RoomStage.open({
    settings: {
      rules: { "chat.say": { count: 10, perMs: WINDOW_MS }, "presence.set": null },
      leaveGraceMs: 0,
    },
  });
  const { windows } = stage.room["context"].state;
  const atFirst = heapBytes();
  let mostStamps = 0;
  let mostBytes = 0;
  for (let n = 0; n < USERS; n++) {
    const one = stage.join(`user-${n}`, { keepsLastOnly: true });
    stage.say(one, "hello");
    stage.leave(one);
    stage.tabs.length = 0;
    stage.httpAnswers.length = 0;
    stage.advance(20);
    if (n % 500 === 0) {
      mostStamps = Math.max(mostStamps, windows.stampCount);
      mostBytes = Math.max(mostBytes, stage.runtime.storedBytes);
    }
  }
  const heap = heapBytes() - atFirst;
  // At 20 ms each, three thousand are inside the window, and the sweep follows at the alarm's pace.
  const inside = WINDOW_MS / 20;
  console.log(
    `${USERS} users: at most ${mostStamps} stamps (${inside} are inside the window), ${Math.round(mostBytes / 1024)} KiB stored, heap ${Math.round(heap / 1024 / 1024)} MiB more at the end`,
  );
  expect(mostStamps).toBeGreaterThanOrEqual(inside - 1);
  expect(mostStamps).toBeLessThan(6 * inside);
  expect(mostBytes).toBeLessThan(32 * 1024 * 1024);
  // Of the whole room, with two minutes of its events and ids.
  expect(heap).toBeLessThan(64 * 1024 * 1024);

  stage.advance(2 * WINDOW_MS);
  stage.fireAlarm();
  expect(windows.stampCount, "old windows are dropped").toBe(0);
  expect(windows.size).toBe(0);
  stage.expectNoViolations();
}, 240_000);
