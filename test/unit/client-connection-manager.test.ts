import { describe, expect, it } from "vitest";
import { ConnectionManager } from "../../src/client/session/connection";
import { type AnyPredictions, OptimisticStates } from "../../src/client/session/optimistic";
import { Outbox } from "../../src/client/session/outbox";
import type { Outcome } from "../../src/client/session/outcome";
import { PendingActions } from "../../src/client/session/pending";
import { Slices } from "../../src/client/session/slices";
import { SyncedClock } from "../../src/client/session/synced-clock";
import { StateVerifier } from "../../src/client/session/verification";
import { MAX_MESSAGE_BYTES, RESEND_MS } from "../../src/protocol/limits";
import type { Nack } from "../../src/protocol/messages";

const NEVER = Number.POSITIVE_INFINITY;
const PING_MS = 20_000;

/** A line, and what it asked of whoever has the sockets. */
function openConnection({ canRenew = true } = {}) {
  const calls: string[] = [];
  const failed: number[] = [];
  const connection = new ConnectionManager(
    {
      open: (link, anew) => calls.push(`open ${link}${anew ? " anew" : ""}`),
      send: (link, text) => calls.push(`${text} ${link}`),
      close: (link) => calls.push(`close ${link}`),
    },
    () => 0.5,
    { canRenew, members: () => undefined, secondFailed: (now) => failed.push(now) },
  );
  const live = () => {
    connection.start(0);
    connection.onToken(1, 0);
    connection.onWelcome(1, 0, PING_MS);
    calls.length = 0;
    return connection;
  };
  return { line: connection, did: calls, failed, live };
}

describe("a line to the room", () => {
  it("begins once, however often it is begun, and has nothing to do when it is not", () => {
    const { line, did } = openConnection();
    expect([line.state, line.nextAt(), line.requestedAt(1)]).toEqual([{ is: "idle" }, NEVER, undefined]);
    line.tick(5);
    line.reconnect(5, true);
    line.retryLater(5);
    line.openSecond(5, false);
    expect(did).toEqual([]);
    line.start(10);
    line.start(20);
    expect([did, line.requestedAt(1), line.requestedAt(2)]).toEqual([["open 1"], 10, undefined]);
    expect(line.nextAt()).toBe(30_010);
  });

  it("[T5] hears no word of a socket that is none of its own any more", () => {
    const { line, did, live } = openConnection();
    live();
    line.onToken(7, 5);
    line.onClosed(7, { code: 1006, reason: "" }, 5);
    line.onMessage(7);
    expect(line.onWelcome(7, 5, PING_MS)).toBe(false);
    expect(line.onWelcome(1, 5, PING_MS)).toBe(false);
    expect([line.state, did]).toEqual([{ is: "live" }, []]);
  });

  it("[T8] has one second socket at a time, which takes over when it is welcome", () => {
    const { line, did, live } = openConnection();
    live();
    line.openSecond(100, true);
    line.openSecond(100, true);
    expect([line.hasSecond, line.requestedAt(2)]).toEqual([true, 100]);
    line.onToken(2, 200);
    expect([line.requestedAt(2), line.nextAt()]).toEqual([200, 12_200]);
    expect(line.onWelcome(2, 300, PING_MS)).toBe(true);
    expect([line.live, line.hasSecond, did]).toEqual([2, false, ["open 2 anew", "close 1"]]);
  });

  it("[T8] gives a second socket up that is not welcome in time, and goes on with the first", () => {
    const { line, did, failed, live } = openConnection();
    live();
    line.openSecond(100, false);
    line.tick(30_099);
    expect(failed).toEqual([]);
    line.tick(30_100);
    expect([failed, line.hasSecond, line.live]).toEqual([[30_100], false, 1]);
    expect(did).toContain("close 2");
    line.openSecond(40_000, false);
    line.onClosed(3, { code: 4401, reason: "No." }, 40_001);
    expect(failed).toEqual([30_100, 40_001]);
  });

  it("[T8] goes on with the second where the first breaks, is let go, or falls silent", () => {
    const { line, live } = openConnection();
    live();
    line.openSecond(100, true);
    line.onClosed(1, { code: 4409, reason: "A newer one." }, 150);
    expect([line.state, line.isCurrent(2)]).toEqual([{ is: "live" }, true]);

    const other = openConnection();
    other.live();
    other.line.openSecond(100, false);
    other.line.onClosed(1, { code: 1006, reason: "" }, 150);
    expect(other.line.state).toEqual({ is: "connecting", again: true });

    const silent = openConnection();
    silent.live();
    silent.line.openSecond(100, false);
    silent.line.onToken(2, 31_000);
    silent.line.tick(20_000);
    silent.line.tick(32_000);
    expect([silent.line.isCurrent(2), silent.did.includes("close 1")]).toEqual([true, true]);
  });

  it("[T8] ends with both where the room ends it for good, and closes both when left", () => {
    const { line, did, live } = openConnection();
    live();
    line.openSecond(100, false);
    line.onClosed(1, { code: 4403, reason: "You are banned." }, 150);
    expect(line.state).toEqual({ is: "ended", code: 4403, reason: "You are banned." });
    // Closing is asked for as often as it is certain: it does no harm.
    expect(new Set(did)).toEqual(new Set(["open 2", "close 1", "close 2"]));
    line.tick(1_000_000);
    expect([line.nextAt(), line.requestedAt(1)]).toEqual([NEVER, undefined]);

    const left = openConnection();
    left.live();
    left.line.openSecond(100, false);
    left.line.stop();
    expect([left.line.state, left.did]).toEqual([{ is: "idle" }, ["open 2", "close 2", "close 1"]]);
  });

  it("says why it waits where the room said so, and not that it fell silent", () => {
    const { line, live } = openConnection();
    live();
    line.onClosed(1, { code: 1012, reason: "Please come back.", retryAfterMs: 2_000 }, 100);
    expect(line.state).toMatchObject({ is: "waiting", again: true, reason: "Please come back." });
    const silent = openConnection();
    silent.live();
    silent.line.onClosed(1, { code: 4408, reason: "Silent." }, 100);
    expect(silent.line.state).not.toHaveProperty("reason");
  });

  it("[T1] tries another token once where one is refused, and none where there is but one", () => {
    const bad = { code: 4401, reason: "That token is not good." };
    const { line, did, live } = openConnection();
    live();
    line.onClosed(1, bad, 100);
    line.tick(100);
    expect(new Set(did)).toEqual(new Set(["close 1", "open 2 anew"]));
    line.onClosed(2, bad, 200);
    expect(line.state).toEqual({ is: "ended", ...bad });
    const fixed = openConnection({ canRenew: false });
    fixed.live();
    fixed.line.onClosed(1, bad, 100);
    expect(fixed.line.state).toEqual({ is: "ended", ...bad });
  });

  it("[T1] does not go back to a token that was refused, where another could not be had at once", () => {
    const { line, did, live } = openConnection();
    live();
    line.onClosed(1, { code: 4401, reason: "That token is not good." }, 100);
    line.tick(100);
    line.onClosed(2, { code: 1006, reason: "Nobody answers." }, 200);
    line.tick(line.nextAt());
    line.tick(line.nextAt());
    line.reconnect(line.nextAt() - 1, true);
    expect(did.filter((what) => what.startsWith("open"))).toEqual([
      "open 2 anew",
      "open 3 anew",
      "open 4 anew",
    ]);
    line.onToken(4, 90_000);
    line.onClosed(4, { code: 1006, reason: "" }, 90_001);
    line.tick(line.nextAt());
    expect(did.at(-1)).toBe("open 5");
  });

  it.each([4401, 4403])("[T1] asks for another token where somebody joins again after %s", (code) => {
    const why = { code, reason: "No." };
    const { line, did, live } = openConnection();
    live();
    line.onClosed(1, why, 100);
    line.tick(100);
    line.onClosed(2, why, 200);
    expect(line.state).toEqual({ is: "ended", ...why });
    line.start(300);
    expect(did.at(-1)).toMatch(/^open \d anew$/);
    line.onClosed(Number(did.at(-1)?.split(" ")[1]), { code: 4401, reason: "It ended." }, 400);
    expect(line.state, "which has a second try of its own").toMatchObject({ is: "waiting" });
  });

  it("joins with the token it has where the end was about something else", () => {
    const { line, did, live } = openConnection();
    live();
    line.onClosed(1, { code: 4409, reason: "A newer one." }, 100);
    line.start(300);
    expect(did.at(-1)).toBe("open 2");
  });
});

describe("comparing with the room", () => {
  const feature = { version: "1", initial: () => 0, reduce: (count: number) => count + 1 };
  const slices = new Slices({ lab: feature }, () => {});

  it("[C2] says nothing of sums of another number, and asks again later", () => {
    const checks = new StateVerifier(() => 0);
    checks.request();
    expect([checks.takeRequest(0), checks.takeRequest(0), checks.requestAt()]).toEqual([true, false, NEVER]);
    expect(
      checks.compare({ t: "checksum", seq: 2, sums: { lab: "x" } }, 3, { lab: "1" }, slices, 0),
    ).toBeUndefined();
    checks.onEvents(0);
    expect(checks.requestAt()).toBe(1_000);
    expect(
      checks.compare({ t: "checksum", seq: 3, sums: { lab: "x" } }, 3, { lab: "1" }, slices, 0),
    ).toMatchObject({
      features: ["lab"],
      differing: ["lab"],
    });
    expect(
      checks.compare({ t: "checksum", seq: 3, sums: { lab: "x" } }, 3, { lab: "2" }, slices, 0)?.features,
    ).toEqual([]);
  });

  it("is not put off by a refusal of something else", () => {
    const checks = new StateVerifier(() => 0);
    checks.postpone(500);
    expect(checks.requestAt()).toBe(NEVER);
    checks.request();
    checks.takeRequest(0);
    checks.postpone(500);
    expect([checks.requestAt(), checks.takeRequest(499), checks.takeRequest(500)]).toEqual([
      500,
      false,
      true,
    ]);
    // Another connection: what was asked on the one before is not answered.
    checks.onWelcome();
    expect(checks.takeRequest(500)).toBe(true);
  });
});

describe("actions on their way", () => {
  function outbox() {
    const settled = new Map<string, Outcome>();
    return { settled, box: new Outbox("p", (id, outcome) => settled.set(id, outcome)) };
  }
  const standing = { link: 1, epoch: "e", now: 0, roomNow: 0 };
  const nack = (id: string, code: Nack["code"], more: Partial<Nack> = {}): Nack => ({
    t: "nack",
    id,
    code,
    message: "No.",
    ...more,
  });

  it("[O5] follow the room's own numbers, or ours where it tells none", () => {
    const { box, settled } = outbox();
    box.onWelcome({ rules: {} } as unknown as Parameters<Outbox["onWelcome"]>[0]);
    box.add({ f: "a", a: "b", d: "x".repeat(MAX_MESSAGE_BYTES), id: "large" }, 0, 0);
    expect(settled.get("large")).toMatchObject({ refusal: { code: "too_large" } });
    box.add({ f: "a", a: "b", d: {}, id: "kept", timeoutMs: NEVER }, 0, 0);
    expect([...box.flush(standing)]).toHaveLength(1);
    expect(box.timeoutAt()).toBe(RESEND_MS / 2);
    box.tick(RESEND_MS / 2);
    expect(settled.get("kept")).toMatchObject({ refusal: { code: "unknown_outcome" } });
    expect(box.timeoutAt()).toBe(NEVER);
  });

  it("go out again by themselves where the room is moving, a second later if it does not say when", () => {
    const { box, settled } = outbox();
    box.add({ f: "a", a: "b", d: undefined, id: "1" }, 0, 0);
    expect([...box.flush(standing)]).toEqual(['{"t":"do","id":"1","f":"a","a":"b","d":{}}']);
    box.onNack(nack("1", "draining"), 0);
    expect([box.all[0]?.isSent, box.sendsAt(1, 0), [...box.flush(standing)]]).toEqual([false, 1_000, []]);
    expect([...box.flush({ ...standing, now: 1_000 })]).toHaveLength(1);
    box.onNack(nack("other", "conflict"), 1_000);
    box.onNack({ t: "nack", code: "bad_message", message: "No." }, 1_000);
    expect(settled.size).toBe(0);
    box.onNack(nack("1", "conflict"), 1_000);
    expect(settled.get("1")).toMatchObject({ refusal: { code: "conflict" } });
  });

  it("that went out twice were perhaps done by the first, whatever the room says of the second", () => {
    const { box, settled } = outbox();
    box.add({ f: "a", a: "b", d: {}, id: "1" }, 0, 0);
    expect([...box.flush(standing), ...box.flush({ ...standing, link: 2 })]).toHaveLength(2);
    box.onNack(nack("1", "draining", { retryAfterMs: 10 }), 0);
    expect(box.all[0]?.isSent).toBe(true);
    box.end("You have left the room.");
    expect(settled.get("1")).toMatchObject({ refusal: { code: "unknown_outcome" } });
  });

  it("that nobody knows of change nothing", () => {
    const pending = new PendingActions();
    pending.markSent("none", 1, { epoch: "e", at: 0, roomAt: 0 });
    pending.markUnsent("none");
    expect([pending.all, pending.remove("none"), pending.entry("none")]).toEqual([[], false, undefined]);
  });
});

describe("what will be, if the room agrees", () => {
  const feature = {
    version: "1",
    initial: () => 0,
    reduce: (count: number, { d }: { d: unknown }) => count + (d as number),
  };
  const slices = new Slices({ lab: feature }, () => {});
  const you = { user: "ann", name: "Ann" };
  const pending = [{ id: "1", f: "lab", a: "add", d: 2, at: 0, isSent: false }];
  const outlook = (predictions: AnyPredictions, failed: string[] = []) =>
    new OptimisticStates(slices, predictions, (of) => failed.push(of));

  it("is what is, for features that are not here, actions that nobody foretells, and nobody in particular", () => {
    const failed: string[] = [];
    const add = ({ length }: { length: number }) => Array.from({ length }, () => ({ n: "added", d: 2 }));
    const seen = outlook({ gone: { add: () => add({ length: 1 }) }, lab: {} }, failed);
    expect(seen.compute(pending, you, 0)).toEqual(slices.states);
    expect(outlook({ lab: { add: () => add({ length: 2 }) } }).compute(pending, you, 0)).toEqual({ lab: 4 });
    expect(outlook({ lab: { add: () => undefined } }).compute(pending, you, 0)).toEqual({ lab: 0 });
    expect(outlook({ lab: { add: () => add({ length: 2 }) } }).compute(pending, undefined, 0)).toBe(
      slices.states,
    );
    expect(failed).toEqual([]);
  });

  it("is what is where a foretelling throws, which is told", () => {
    const failed: string[] = [];
    const seen = outlook(
      {
        lab: {
          add: () => {
            throw new Error("no");
          },
        },
      },
      failed,
    );
    expect([seen.compute(pending, you, 0), failed]).toEqual([{ lab: 0 }, ["lab"]]);
  });
});

describe("the room's clock, here", () => {
  it("says that it knows nothing before it was told", () => {
    const clock = new SyncedClock();
    expect([clock.errorMs, clock.roomTime(5)]).toEqual([NEVER, 5]);
    clock.addProbe({ t0: 10, t1: 0, t2: 50 }, 12);
    expect(clock.errorMs).toBe(NEVER);
    clock.addWelcome(100, 0, 10);
    expect([clock.errorMs, clock.roomTime(10)]).toEqual([5, 105]);
  });
});
