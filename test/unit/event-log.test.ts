import { describe, expect, it } from "vitest";
import { MAX_LOG_BYTES, MAX_LOG_EVENTS } from "../../src/protocol/limits";
import { EventLog, type LoggedFrame } from "../../src/room/delivery/event-log";
import { freshSeed, randomFrom } from "../platforms/random";

type Added = Omit<LoggedFrame, "end">;

function frame(first: number, seq: number, at: number, bytes = 10, record = seq): Added {
  return { first, seq, at, text: `${first}-${seq}`, bytes, record };
}

describe("the event log", () => {
  it("the log is empty at first: it cannot continue any reader, and its end is where a reader of everything is", () => {
    const log = new EventLog(1_000);
    expect(log.after(0)).toBeUndefined();
    expect(log.reaches(0)).toBe(false);
    expect(log.positionOf(0)).toBe(0);
    expect(log.oldestRecord).toBeUndefined();
  });

  it("the log finds the frame that contains the next event, even from the middle of a frame", () => {
    const log = new EventLog(1_000);
    log.add(frame(1, 3, 0));
    log.add(frame(4, 4, 0));
    log.add(frame(5, 9, 0));
    expect([0, 1, 2, 3, 4, 8, 9].map((seq) => log.after(seq)?.text)).toEqual([
      "1-3",
      "1-3",
      "1-3",
      "4-4",
      "5-9",
      "5-9",
      undefined,
    ]);
  });

  it("[W4] the log keeps what is younger than the recovery window, to the millisecond", () => {
    const log = new EventLog(1_000);
    log.add(frame(1, 1, 0));
    log.add(frame(2, 2, 1));
    log.trim(999);
    expect(log.reaches(0)).toBe(true);
    log.trim(1_000);
    expect([log.reaches(0), log.reaches(1)]).toEqual([false, true]);
    log.trim(1_001);
    expect([log.reaches(1), log.after(1), log.oldestRecord]).toEqual([false, undefined, undefined]);
  });

  it("[W4] the log keeps 20,000 events and 8 MiB at most, in whole frames", () => {
    const events = new EventLog(1_000);
    for (let n = 0; n < 3; n++) events.add(frame(n * 9_999 + 1, (n + 1) * 9_999, 0));
    expect([events.reaches(9_998), events.reaches(9_999)]).toEqual([false, true]);
    const bytes = new EventLog(1_000);
    for (let n = 1; n <= 9; n++) bytes.add(frame(n, n, 0, 1024 * 1024));
    expect(bytes.bytes).toBe(MAX_LOG_BYTES);
    expect([bytes.reaches(0), bytes.reaches(1)]).toEqual([false, true]);
  });

  it("the log measures unread bytes with signals, even past its oldest frame", () => {
    const log = new EventLog(1_000);
    log.add(frame(1, 2, 0, 100));
    log.skip(7);
    log.add(frame(3, 3, 0, 50));
    log.skip(3);
    expect([0, 1, 2, 3].map((seq) => log.end - log.positionOf(seq))).toEqual([160, 160, 53, 0]);
  });

  it("the log agrees with a plain list over random frames, trims and questions", () => {
    const random = randomFrom(freshSeed());
    for (let round = 0; round < 8; round++) {
      const recoveryMs = 1 + random.below(2_000);
      const log = new EventLog(recoveryMs);
      let plain: (Added & { end: number })[] = [];
      let seq = random.below(50);
      let end = 0;
      let now = 0;
      let record = 0;
      for (let step = 0; step < 1_500; step++) {
        const context = `seed ${random.seed}, round ${round}, step ${step}`;
        now += random.below(30);
        const dice = random.below(10);
        if (dice < 6) {
          const count = 1 + random.below(random.below(50) === 0 ? 8_000 : 30);
          const bytes = 1 + random.below(random.below(50) === 0 ? 2_000_000 : 5_000);
          record += 1 + random.below(3);
          const added = frame(seq + 1, seq + count, now, bytes, record);
          seq += count;
          end += bytes;
          log.add(added);
          plain.push({ ...added, end });
        } else if (dice < 7) {
          const bytes = random.below(500);
          end += bytes;
          log.skip(bytes);
        } else if (dice < 8) log.trim(now);
        if (dice < 6 || dice === 7) plain = trimNaively(plain, seq, recoveryMs, now);
        const since = Math.max(0, seq - random.below(random.below(5) === 0 ? 30_000 : 200) + 3);
        const next = plain.find((frame) => frame.seq > since);
        expect(log.after(since)?.text, context).toBe(next && next.first <= since + 1 ? next.text : undefined);
        expect(log.reaches(since), context).toBe(plain[0] !== undefined && plain[0].first <= since + 1);
        expect(log.positionOf(since), context).toBe(next ? next.end - next.bytes : end);
        expect(log.oldestRecord, context).toBe(plain[0]?.record);
        expect(log.bytes, context).toBe(plain.reduce((sum, { bytes }) => sum + bytes, 0));
      }
    }
  });
});

function trimNaively<T extends Added>(frames: T[], newest: number, recoveryMs: number, now: number): T[] {
  const kept = [...frames];
  const tooMuch = () => {
    const oldest = kept[0] as T;
    const bytes = kept.reduce((sum, frame) => sum + frame.bytes, 0);
    return (
      oldest.at + recoveryMs <= now || newest - oldest.first + 1 > MAX_LOG_EVENTS || bytes > MAX_LOG_BYTES
    );
  };
  while (kept.length > 0 && tooMuch()) kept.shift();
  return kept;
}
