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

/** A connection manager, and its calls to the owner of the sockets. */
function openConnection({ canRenew = true } = {}) {
  const calls: string[] = [];
  const failed: number[] = [];
  const manager = new ConnectionManager(
    {
      open: (link, anew) => calls.push(`open ${link}${anew ? " anew" : ""}`),
      send: (link, text) => calls.push(`${text} ${link}`),
      close: (link) => calls.push(`close ${link}`),
    },
    () => 0.5,
    { canRenew, members: () => undefined, secondFailed: (now) => failed.push(now) },
  );
  const live = () => {
    manager.start(0);
    manager.onToken(1, 0);
    manager.onWelcome(1, 0, PING_MS);
    calls.length = 0;
    return manager;
  };
  return { manager, calls, failed, live };
}

describe("a connection to the room", () => {
  it("a second start has no effect, and neither has a call before the start", () => {
    const { manager, calls } = openConnection();
    expect([manager.state, manager.nextAt(), manager.requestedAt(1)]).toEqual([
      { is: "idle" },
      NEVER,
      undefined,
    ]);
    manager.tick(5);
    manager.reconnect(5, true);
    manager.retryLater(5);
    manager.openSecond(5, false);
    expect(calls).toEqual([]);
    manager.start(10);
    manager.start(20);
    expect([calls, manager.requestedAt(1), manager.requestedAt(2)]).toEqual([["open 1"], 10, undefined]);
    expect(manager.nextAt()).toBe(30_010);
  });

  it("[T5] the client ignores messages of a socket that it no longer owns", () => {
    const { manager, calls, live } = openConnection();
    live();
    manager.onToken(7, 5);
    manager.onClosed(7, { code: 1006, reason: "" }, 5);
    manager.onMessage(7);
    expect(manager.onWelcome(7, 5, PING_MS)).toBe(false);
    expect(manager.onWelcome(1, 5, PING_MS)).toBe(false);
    expect([manager.state, calls]).toEqual([{ is: "live" }, []]);
  });

  it("[T8] the client has one second socket at a time, which takes over at its welcome", () => {
    const { manager, calls, live } = openConnection();
    live();
    manager.openSecond(100, true);
    manager.openSecond(100, true);
    expect([manager.hasSecond, manager.requestedAt(2)]).toEqual([true, 100]);
    manager.onToken(2, 200);
    expect([manager.requestedAt(2), manager.nextAt()]).toEqual([200, 12_200]);
    expect(manager.onWelcome(2, 300, PING_MS)).toBe(true);
    expect([manager.live, manager.hasSecond, calls]).toEqual([2, false, ["open 2 anew", "close 1"]]);
  });

  it("[T8] the client gives up a second socket without a welcome in time, and continues with the first", () => {
    const { manager, calls, failed, live } = openConnection();
    live();
    manager.openSecond(100, false);
    manager.tick(30_099);
    expect(failed).toEqual([]);
    manager.tick(30_100);
    expect([failed, manager.hasSecond, manager.live]).toEqual([[30_100], false, 1]);
    expect(calls).toContain("close 2");
    manager.openSecond(40_000, false);
    manager.onClosed(3, { code: 4401, reason: "No." }, 40_001);
    expect(failed).toEqual([30_100, 40_001]);
  });

  it("[T8] the client continues with the second socket if the first breaks, is closed or falls silent", () => {
    const { manager, live } = openConnection();
    live();
    manager.openSecond(100, true);
    manager.onClosed(1, { code: 4409, reason: "A newer one." }, 150);
    expect([manager.state, manager.isCurrent(2)]).toEqual([{ is: "live" }, true]);

    const other = openConnection();
    other.live();
    other.manager.openSecond(100, false);
    other.manager.onClosed(1, { code: 1006, reason: "" }, 150);
    expect(other.manager.state).toEqual({ is: "connecting", again: true });

    const silent = openConnection();
    silent.live();
    silent.manager.openSecond(100, false);
    silent.manager.onToken(2, 31_000);
    silent.manager.tick(20_000);
    silent.manager.tick(32_000);
    expect([silent.manager.isCurrent(2), silent.calls.includes("close 1")]).toEqual([true, true]);
  });

  it("[T8] the client ends both sockets if the room ends the visit for good, and closes both on leaving", () => {
    const { manager, calls, live } = openConnection();
    live();
    manager.openSecond(100, false);
    manager.onClosed(1, { code: 4403, reason: "You are banned." }, 150);
    expect(manager.state).toEqual({ is: "ended", code: 4403, reason: "You are banned." });
    // The manager closes as often as it is sure of it: a repeated close has no effect.
    expect(new Set(calls)).toEqual(new Set(["open 2", "close 1", "close 2"]));
    manager.tick(1_000_000);
    expect([manager.nextAt(), manager.requestedAt(1)]).toEqual([NEVER, undefined]);

    const left = openConnection();
    left.live();
    left.manager.openSecond(100, false);
    left.manager.stop();
    expect([left.manager.state, left.calls]).toEqual([{ is: "idle" }, ["open 2", "close 2", "close 1"]]);
  });

  it("the client reports why it waits as the room said it, and not as a timeout", () => {
    const { manager, live } = openConnection();
    live();
    manager.onClosed(1, { code: 1012, reason: "Please come back.", retryAfterMs: 2_000 }, 100);
    expect(manager.state).toMatchObject({ is: "waiting", again: true, reason: "Please come back." });
    const silent = openConnection();
    silent.live();
    silent.manager.onClosed(1, { code: 4408, reason: "Silent." }, 100);
    expect(silent.manager.state).not.toHaveProperty("reason");
  });

  it("[T1] the client tries one other token after a rejected one, and stops if there is only one", () => {
    const bad = { code: 4401, reason: "That token is not good." };
    const { manager, calls, live } = openConnection();
    live();
    manager.onClosed(1, bad, 100);
    manager.tick(100);
    expect(new Set(calls)).toEqual(new Set(["close 1", "open 2 anew"]));
    manager.onClosed(2, bad, 200);
    expect(manager.state).toEqual({ is: "ended", ...bad });
    const fixed = openConnection({ canRenew: false });
    fixed.live();
    fixed.manager.onClosed(1, bad, 100);
    expect(fixed.manager.state).toEqual({ is: "ended", ...bad });
  });

  it("[T1] the client does not return to a rejected token while another could not be fetched", () => {
    const { manager, calls, live } = openConnection();
    live();
    manager.onClosed(1, { code: 4401, reason: "That token is not good." }, 100);
    manager.tick(100);
    manager.onClosed(2, { code: 1006, reason: "The server does not answer." }, 200);
    manager.tick(manager.nextAt());
    manager.tick(manager.nextAt());
    manager.reconnect(manager.nextAt() - 1, true);
    expect(calls.filter((what) => what.startsWith("open"))).toEqual([
      "open 2 anew",
      "open 3 anew",
      "open 4 anew",
    ]);
    manager.onToken(4, 90_000);
    manager.onClosed(4, { code: 1006, reason: "" }, 90_001);
    manager.tick(manager.nextAt());
    expect(calls.at(-1)).toBe("open 5");
  });

  it.each([4401, 4403])("[T1] the client fetches another token if the user joins again after %s", (code) => {
    const why = { code, reason: "No." };
    const { manager, calls, live } = openConnection();
    live();
    manager.onClosed(1, why, 100);
    manager.tick(100);
    manager.onClosed(2, why, 200);
    expect(manager.state).toEqual({ is: "ended", ...why });
    manager.start(300);
    expect(calls.at(-1)).toMatch(/^open \d anew$/);
    manager.onClosed(Number(calls.at(-1)?.split(" ")[1]), { code: 4401, reason: "It ended." }, 400);
    expect(manager.state, "the second token has a second try of its own").toMatchObject({ is: "waiting" });
  });

  it("the client keeps its token if the end had another reason", () => {
    const { manager, calls, live } = openConnection();
    live();
    manager.onClosed(1, { code: 4409, reason: "A newer one." }, 100);
    manager.start(300);
    expect(calls.at(-1)).toBe("open 2");
  });
});

describe("comparing checksums with the room", () => {
  const feature = { version: "1", initial: () => 0, reduce: (count: number) => count + 1 };
  const slices = new Slices({ lab: feature }, () => {});

  it("[C2] the client ignores checksums of another number, and asks again later", () => {
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

  it("a rejection of something else does not delay the comparison", () => {
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
    // On another connection, requests of the previous one stay unanswered.
    checks.onWelcome();
    expect(checks.takeRequest(500)).toBe(true);
  });
});

describe("actions in flight", () => {
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

  it("[O5] the actions follow the room's own limits, or the client's if the room sends none", () => {
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

  it("the actions are sent again without help after the room moves, a second later if it names no time", () => {
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

  it("an action that was sent twice may have been done by the first sending, even if the room rejects the second", () => {
    const { box, settled } = outbox();
    box.add({ f: "a", a: "b", d: {}, id: "1" }, 0, 0);
    expect([...box.flush(standing), ...box.flush({ ...standing, link: 2 })]).toHaveLength(2);
    box.onNack(nack("1", "draining", { retryAfterMs: 10 }), 0);
    expect(box.all[0]?.isSent).toBe(true);
    box.end("You have left the room.");
    expect(settled.get("1")).toMatchObject({ refusal: { code: "unknown_outcome" } });
  });

  it("answers to unknown actions change nothing", () => {
    const pending = new PendingActions();
    pending.markSent("none", 1, { epoch: "e", at: 0, roomAt: 0 });
    pending.markUnsent("none");
    expect([pending.all, pending.remove("none"), pending.entry("none")]).toEqual([[], false, undefined]);
  });
});

describe("the optimistic state", () => {
  const feature = {
    version: "1",
    initial: () => 0,
    reduce: (count: number, { d }: { d: unknown }) => count + (d as number),
  };
  const slices = new Slices({ lab: feature }, () => {});
  const you = { user: "ann", name: "Ann" };
  const pending = [{ id: "1", f: "lab", a: "add", d: 2, at: 0, isSent: false }];
  const openStates = (predictions: AnyPredictions, failed: string[] = []) =>
    new OptimisticStates(slices, predictions, (of) => failed.push(of));

  it("the optimistic state equals the real one for absent features, unpredicted actions and an absent user", () => {
    const failed: string[] = [];
    const add = ({ length }: { length: number }) => Array.from({ length }, () => ({ n: "added", d: 2 }));
    const seen = openStates({ gone: { add: () => add({ length: 1 }) }, lab: {} }, failed);
    expect(seen.compute(pending, you, 0)).toEqual(slices.states);
    expect(openStates({ lab: { add: () => add({ length: 2 }) } }).compute(pending, you, 0)).toEqual({
      lab: 4,
    });
    expect(openStates({ lab: { add: () => undefined } }).compute(pending, you, 0)).toEqual({ lab: 0 });
    expect(openStates({ lab: { add: () => add({ length: 2 }) } }).compute(pending, undefined, 0)).toBe(
      slices.states,
    );
    expect(failed).toEqual([]);
  });

  it("the optimistic state equals the real one if a prediction throws, and the error is reported", () => {
    const failed: string[] = [];
    const seen = openStates(
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

describe("the client's view of the room's clock", () => {
  it("the clock says that it knows nothing before the first message", () => {
    const clock = new SyncedClock();
    expect([clock.errorMs, clock.roomTime(5)]).toEqual([NEVER, 5]);
    clock.addProbe({ t0: 10, t1: 0, t2: 50 }, 12);
    expect(clock.errorMs).toBe(NEVER);
    clock.addWelcome(100, 0, 10);
    expect([clock.errorMs, clock.roomTime(10)]).toEqual([5, 105]);
  });
});
