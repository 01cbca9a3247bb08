import { describe, expect, it } from "vitest";
import { MAX_OPERATIONS, RESEND_MS } from "../../src/protocol/limits";
import { type AcceptedRecord, httpOwner, IdempotencyLog } from "../../src/room/state/idempotency";

/** Reads the clock as often as ids age by. */
function expire(log: IdempotencyLog, from: number, to: number): void {
  for (let now = from; now < to; now += 5_000) log.expire(now);
  log.expire(to);
}

function operation(user: string, id: string, at: number, record = 1): AcceptedRecord {
  return { user, id, fingerprint: 7, at, record, seq: undefined, answer: undefined, rule: undefined };
}

describe("accepted operation ids", () => {
  it("[O1] an id is found by user and id, and by neither alone", () => {
    const log = new IdempotencyLog();
    log.add(operation("ann", "1", 0));
    expect(log.find("ann", "1", 0)).toMatchObject({ user: "ann", id: "1" });
    expect(log.find("bob", "1", 0)).toBeUndefined();
    expect(log.find("ann", "11", 0)).toBeUndefined();
    expect(log.find("ann1", "", 0)).toBeUndefined();
  });

  it("[O2] an id is remembered for `resendMs` to the millisecond, and then forgotten", () => {
    const log = new IdempotencyLog();
    log.add(operation("ann", "1", 0));
    log.add(operation("ann", "2", 5));
    expire(log, 5, RESEND_MS - 1);
    expect(log.find("ann", "1", RESEND_MS - 1)).toBeDefined();
    expect(log.find("ann", "1", RESEND_MS)).toBeUndefined();
    expect(log.find("ann", "2", RESEND_MS)).toBeDefined();
    expect(log.size).toBe(1);
  });

  it("[O2] the ids survive a clock that steps ahead by any amount, at the cost of one look", () => {
    const log = new IdempotencyLog();
    log.add(operation("ann", "1", 0));
    const step = 2 * 86_400_000;
    for (const at of [step, 2 * step, 3 * step, 4 * step]) expect(log.find("ann", "1", at)).toBeDefined();
    expire(log, 4 * step, 4 * step + RESEND_MS / 2);
    expect(log.find("ann", "1", 4 * step + RESEND_MS / 2)).toBeDefined();
    expire(log, 4 * step + RESEND_MS / 2, 4 * step + RESEND_MS);
    expect(log.size).toBe(0);
  });

  it("[O2] the ids do not age while the clock is behind where it was", () => {
    const log = new IdempotencyLog();
    log.add(operation("ann", "1", 0));
    for (let n = 0; n < 100; n++) {
      log.expire(7_000);
      log.expire(0);
    }
    expect(log.size).toBe(1);
  });

  it("the log lists the ids of some records, in order", () => {
    const log = new IdempotencyLog();
    for (let n = 0; n < 10; n++) log.add(operation("ann", `${n}`, n, Math.floor(n / 2)));
    expect([...log.ofRecords(1, 3, 10)].map(({ id }) => id)).toEqual(["2", "3", "4", "5"]);
    expire(log, 10, RESEND_MS + 7);
    expect([...log.ofRecords(0, 5, RESEND_MS + 7)].map(({ id }) => id)).toEqual(["8", "9"]);
  });

  it("[O3] the ids fill up a user's share, are never forgotten early for it, and tell when there is space again", () => {
    const log = new IdempotencyLog();
    expect(log.hasRoomFor("ann", 0)).toBe(true);
    for (let n = 0; log.hasRoomFor("ann", 5_000); n++)
      log.add(operation("ann", `${n}`, n < 10 ? 100 : 5_000));
    const share = log.size;
    expect(share).toBe(Math.ceil((MAX_OPERATIONS * 2) / 3));
    expire(log, 5_000, 100 + RESEND_MS - 1);
    expect(log.nextFreeAt("ann")).toBe(100 + RESEND_MS);
    expect(log.hasRoomFor("ann", 100 + RESEND_MS - 1)).toBe(false);
    expect(log.find("ann", "0", 100 + RESEND_MS - 1)).toBeDefined();
    expect(log.hasRoomFor("ann", 100 + RESEND_MS)).toBe(true);
    expect(log.size).toBe(share - 10);
  });

  it("[O3] the ids of one user leave space for others, if any number of users add all that they may", () => {
    const log = new IdempotencyLog();
    const greedy = ["hana", "root", "eve"];
    // The actions come by HTTP and by socket in turns.
    for (let n = 0, refused = 0; refused < greedy.length; n++) {
      const user = greedy[n % greedy.length] as string;
      const as = n % 2 === 0 ? user : httpOwner(user);
      if (log.hasRoomFor(as, 0)) log.add(operation(as, `${n}`, n < 60_000 ? 0 : 1_000));
      else refused++;
    }
    const free = MAX_OPERATIONS - log.size;
    expect(free).toBeGreaterThan(MAX_OPERATIONS / 8);
    expect(log.hasRoomFor("ann", 0)).toBe(true);
    // If another user adds ids, the three users wait until enough of all ids are forgotten, and no longer.
    for (let n = 0; n < 20_000; n++) log.add(operation("ann", `${n}`, 1_500));
    expect(log.hasRoomFor("ann", 1_500)).toBe(false);
    expect(log.hasRoomFor("bob", 1_500)).toBe(true);
    const at = log.nextFreeAt("hana");
    expect(at).toBe(RESEND_MS);
    expire(log, 1_500, at - 1);
    expect(log.hasRoomFor("hana", at - 1)).toBe(false);
    expect(log.hasRoomFor("hana", at)).toBe(true);
  });

  it("[O3] a full log rejects every user until the oldest id is forgotten", () => {
    const log = new IdempotencyLog();
    for (let n = 0; n < MAX_OPERATIONS; n++) log.add(operation(`user${n}`, "1", n < 5 ? 10 : 400));
    expect(log.hasRoomFor("ann", 400)).toBe(false);
    expect(log.nextFreeAt("ann")).toBe(10 + RESEND_MS);
    expire(log, 400, 10 + RESEND_MS);
    expect(log.hasRoomFor("ann", 10 + RESEND_MS)).toBe(true);
  });
});
