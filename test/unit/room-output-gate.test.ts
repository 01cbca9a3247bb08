import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../src/protocol/messages";
import type { HttpActionResult, RoomSummary } from "../../src/room/room";
import { RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const USERS = ["ann", "bob", "__proto__", "cat"];

/** One possible step; the numbers choose among the available clients and actions. */
type Step =
  | { do: "join"; who: number; tab: number }
  | { do: "rejoin" | "leave" | "verify" | "seen" | "signal" | "nonsense" | "again"; which: number }
  | { do: "act"; which: number; a: number; n: number }
  | { do: "get" | "ring" | "sleep" }
  | { do: "post"; n: number; again: boolean }
  | { do: "pass"; ms: number }
  | { do: "settle" | "crash"; turns: number };

const which = fc.nat(50);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("join" as const), who: fc.nat(3), tab: fc.nat(1) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "rejoin" as const,
        "leave" as const,
        "verify" as const,
        "seen" as const,
        "signal" as const,
        "nonsense" as const,
        "again" as const,
      ),
      which,
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({ do: fc.constant("act" as const), which, a: fc.nat(9), n: fc.nat(9) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("get" as const, "ring" as const, "sleep" as const) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("post" as const), n: fc.nat(9), again: fc.boolean() }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.oneof(fc.nat(9), fc.nat(40_000)) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("settle" as const), turns: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("crash" as const), turns: fc.nat(4) }) },
);

/** What observers outside the room have learnt: after any crash all of it must still be true. */
class Witness {
  readonly #events = new Map<number, string>();
  readonly #posted = new Map<
    string,
    { body: [string, string, Json]; answer: HttpActionResult; at: number }
  >();
  readonly #postedAt = new Map<string, number>();
  readonly #read = new Map<RoomTab, number>();
  readonly #sent = new Map<string, { tab: RoomTab; text: string; at: number }>();
  readonly #summaries: RoomSummary[] = [];
  readonly #done = new Map<string, number>();
  crashes = 0;
  #epoch: string | undefined;

  constructor(private readonly stage: RoomStage) {}

  recordSent(tab: RoomTab, id: string, text: string): void {
    this.#sent.set(id, { tab, text, at: this.stage.now });
  }

  /** Sends an earlier action again: by its sender, or by another user as their own. */
  resend(tab: RoomTab, which: number): void {
    const recent = [...this.#sent.values()].filter(({ at }) => this.stage.now < at + 100_000);
    const sent = recent[which % Math.max(1, recent.length)];
    if (sent) this.stage.send(tab, sent.text);
  }

  readSummary(): void {
    const summary = this.stage.turn(() => this.stage.room.summary(this.stage.now));
    if (this.stage.room.exists) this.stage.runtime.release(() => this.#summaries.push(summary));
  }

  post(id: string, body: [string, string, Json]): void {
    const { stage } = this;
    const at = this.#postedAt.get(id) ?? stage.now;
    this.#postedAt.set(id, at);
    const answer = stage.turn(() =>
      stage.room.act(
        { id, f: body[0], a: body[1], d: body[2] },
        { user: "hanna", name: "Hanna", role: "host" },
        stage.now,
      ),
    );
    stage.runtime.release(() => {
      const before = this.#posted.get(id);
      if (before && stage.now < at + 100_000) expect(answer).toEqual(before.answer);
      else this.#posted.set(id, { body, answer, at });
    });
  }

  get newest(): number {
    const answers = [...this.#posted.values()].map(({ answer }) => (answer.ok ? (answer.seq ?? 0) : 0));
    return Math.max(
      0,
      ...this.#events.keys(),
      ...this.#summaries.map(({ seq }) => seq),
      ...answers,
      ...this.stage.tabs.map(({ seq }) => seq),
    );
  }

  /** Reads on, and compares everything with what other clients read before. */
  checkReads(): void {
    for (const tab of this.stage.tabs) {
      expect(tab.violations).toEqual([]);
      for (const event of tab.events.slice(this.#read.get(tab) ?? 0)) {
        const text = JSON.stringify(event);
        expect(this.#events.get(event.seq) ?? text, `event ${event.seq}`).toBe(text);
        this.#events.set(event.seq, text);
        if (event.op === undefined) continue;
        const done = `${event.by} ${event.op}`;
        expect(this.#done.get(done) ?? event.seq, `${done} twice`).toBe(event.seq);
        this.#done.set(done, event.seq);
      }
      this.#read.set(tab, tab.events.length);
      for (const welcome of tab.welcomes) this.#checkEpoch(welcome.epoch);
    }
    for (const summary of this.#summaries) this.#checkEpoch(summary.epoch);
  }

  #checkEpoch(epoch: string): void {
    this.#epoch ??= epoch;
    expect(epoch, "the epoch").toBe(this.#epoch);
  }

  /** Opens a new instance over what the crash left, and checks every known fact. */
  async checkRestored(): Promise<void> {
    const { stage } = this;
    this.crashes++;
    this.checkReads();
    const newest = this.newest;
    await stage.wake();
    const summary = stage.room.summary(stage.now);
    if (this.#epoch !== undefined) expect(summary.epoch).toBe(this.#epoch);
    expect(summary.seq, "a seen event is lost").toBeGreaterThanOrEqual(newest);
    for (const known of this.#summaries) expect(summary.createdAt).toBe(known.createdAt);
    stage.isAutoDurable = true;
    const reader = stage.join("reader", {
      tab: `r${this.crashes}`,
      ...(this.#epoch === undefined ? {} : { epoch: this.#epoch, since: 0 }),
    });
    stage.advance(100);
    this.checkReads();
    if (this.#epoch !== undefined && reader.welcomes[0]?.resumed) {
      expect(reader.events.map(({ seq }) => seq)).toEqual(
        Array.from({ length: reader.seq }, (_, n) => n + 1),
      );
    }
    stage.verify(reader);
    this.#resendAcked();
    for (const [id, { body, at }] of this.#posted) if (stage.now < at + 100_000) this.post(id, body);
    stage.advance(100);
    this.checkReads();
    stage.isAutoDurable = false;
  }

  /** Checks that acknowledged actions are acknowledged again with the same number, and that none happens twice. */
  #resendAcked(): void {
    const { stage } = this;
    for (const [id, { tab, text, at }] of this.#sent) {
      const before = tab.read().acks.get(id);
      if (!before || stage.now >= at + 100_000) continue;
      if (tab.peer.state !== "open") stage.rejoin(tab);
      stage.verify(tab);
      const { seq, commits } = { seq: stage.room.summary(stage.now).seq, commits: stage.room.counts.commits };
      stage.send(tab, text);
      // A replayed event acknowledges without the answer, which a resend returns.
      expect(tab.read().acks.get(id), `${id} again`).toMatchObject(before);
      expect(
        tab.nacks.some((nack) => nack.id === id),
        `${id} refused after it was done`,
      ).toBe(false);
      expect([stage.room.summary(stage.now).seq, stage.room.counts.commits], `${id} done twice`).toEqual([
        seq,
        commits,
      ]);
    }
  }
}

const ACTIONS: readonly ((n: number) => [f: string, a: string, d: Json])[] = [
  (n) => ["chat", "say", { text: `line ${n}` }],
  (n) => ["lab", "add", { n }],
  (n) => ["lab", "many", { count: n, chars: n * 100 }],
  (n) => ["lab", "deal", { to: USERS.slice(0, 1 + (n % 3)) }],
  () => ["lab", "peek", {}],
  () => ["lab", "nothing", {}],
  (n) => ["lab", "timer", { name: `t${n % 3}`, afterMs: n === 9 ? null : n * 50 }],
  () => ["lab", "urgent", {}],
  () => ["lab", "both", {}],
  (n) => ["presence", "set", { status: `s${n}` }],
];

async function playSteps(seed: number, steps: readonly Step[]): Promise<Witness> {
  const stage = await RoomStage.open({ seed, settings: { actionRate: { count: 50, perMs: 1_000 } } });
  stage.isAutoDurable = false;
  const witness = new Witness(stage);
  let ids = 0;
  let posted: { id: string; n: number; at: number } | undefined;
  for (const step of steps) {
    const open = stage.tabs.filter(({ peer }) => peer.state === "open");
    const tab = "which" in step ? open[step.which % Math.max(1, open.length)] : undefined;
    switch (step.do) {
      case "join": {
        const user = USERS[step.who] as string;
        const known = stage.tabs.find((other) => other.user === user && other.tab === `tab${step.tab}`);
        if (known) stage.rejoin(known);
        else stage.join(user, { tab: `tab${step.tab}` });
        break;
      }
      case "rejoin": {
        const away = stage.tabs.filter(({ peer, user }) => peer.state !== "open" && user !== "reader");
        const back = away[step.which % Math.max(1, away.length)];
        if (back) stage.rejoin(back);
        break;
      }
      case "act": {
        if (!tab) break;
        const [f, a, d] = (ACTIONS[step.a] as (typeof ACTIONS)[number])(step.n);
        const id = `i${++ids}`;
        const text = JSON.stringify({ t: "do", id, f, a, d });
        witness.recordSent(tab, id, text);
        stage.send(tab, text);
        break;
      }
      case "again":
        if (tab) witness.resend(tab, step.which);
        break;
      case "leave":
        if (tab) stage.leave(tab);
        break;
      case "verify":
        if (tab) stage.verify(tab);
        break;
      case "seen":
        if (tab && tab.read().welcomes.length > 0) stage.sendSeen(tab);
        break;
      case "signal":
        if (tab) stage.signal(tab, "lab", "point", { x: step.which });
        break;
      case "nonsense":
        if (tab) stage.send(tab, `{"t":"do","id":${step.which}}`);
        break;
      case "get":
        witness.readSummary();
        break;
      case "post":
        // The same action again, whether its answer is known or not.
        posted =
          step.again && posted && stage.now < posted.at + 100_000
            ? posted
            : { id: `h${++ids}`, n: step.n, at: stage.now };
        witness.post(posted.id, ["lab", posted.n % 2 ? "add" : "nothing", { n: posted.n }]);
        break;
      case "ring":
        if (stage.runtime.alarmAt !== null && stage.runtime.alarmAt <= stage.now) stage.fireAlarm();
        break;
      case "sleep":
        stage.makeDurable();
        if (stage.runtime.timerAt === undefined) await stage.sleep();
        break;
      case "pass":
        stage.advance(step.ms);
        break;
      case "settle":
        if (step.turns === 0) stage.makeDurable();
        else stage.runtime.makeDurable(step.turns);
        break;
      case "crash":
        stage.die(step.turns);
        await witness.checkRestored();
        break;
    }
    witness.checkReads();
  }
  stage.die();
  await witness.checkRestored();
  expect(stage.runtime.reports).toEqual([]);
  expect(stage.runtime.brokenCount).toBe(0);
  return witness;
}

describe("the output gate", () => {
  it("[F1] everything that a client saw before a crash at any point is in the room after it, under the same numbers", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2 ** 31),
        fc.array(step, { minLength: 10, maxLength: 120, size: "max" }),
        async (seed, steps) => {
          await playSteps(seed, steps);
        },
      ),
      { numRuns: 100 },
    );
  }, 60_000);

  it("[F1] the gate delays messages that depend on a write, and passes a rejection once nothing is pending", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const bob = stage.join("bob");
    stage.advance(100);
    stage.isAutoDurable = false;
    const { length } = bob.peer.texts;
    stage.say(ann, "hi", "a1");
    stage.post("hanna", "chat", "say", { text: "all" });
    expect([bob.peer.texts.length, stage.httpAnswers.length]).toEqual([length, 0]);
    stage.runtime.makeDurable(1);
    expect([bob.peer.texts.length, stage.httpAnswers.length]).toEqual([length + 1, 0]);
    stage.runtime.makeDurable();
    expect([bob.peer.texts.length, stage.httpAnswers.length]).toEqual([length + 2, 1]);
    stage.expectNoViolations();
  });

  it("[F1] events that no client saw may be lost, and their numbers are used again", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    const { seq } = ann.read();
    stage.isAutoDurable = false;
    stage.say(ann, "lost", "a1");
    await stage.crash();
    stage.isAutoDurable = true;
    stage.rejoin(ann);
    stage.say(ann, "kept", "a2");
    stage.advance(100);
    expect(ann.read().acks.get("a2")).toEqual({ seq: seq + 1 });
    expect(ann.acks.has("a1")).toBe(false);
    expect(ann.events.some(({ d }) => (d as { text?: string }).text === "lost")).toBe(false);
    stage.expectNoViolations();
  });

  it("[F1] a durable event that was not sent reaches every client that returns, and takes effect once", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    const { seq } = ann.read();
    stage.isAutoDurable = false;
    stage.say(ann, "kept", "a1");
    await stage.crash(1);
    stage.isAutoDurable = true;
    stage.rejoin(ann);
    stage.advance(100);
    expect(ann.read().acks.get("a1")).toEqual({ seq: seq + 1 });
    stage.say(ann, "kept", "a1");
    expect(ann.read().seq).toBe(seq + 1);
    expect(ann.peer.texts.at(-1)).toBe(JSON.stringify({ t: "ack", id: "a1", seq: seq + 1 }));
    stage.expectNoViolations();
  });
});

describe("a message before the welcome", () => {
  it.each(["a GET", "a checksum", "an answer over HTTP"])(
    "[F1] the message is durable before %s reveals it",
    async (reveals) => {
      const stage = await RoomStage.open();
      const ann = stage.join("ann");
      stage.advance(1_000);
      stage.say(ann, "opens the window");
      const bob = stage.join("bob");
      stage.say(bob, "hasty");
      const revealed = () => {
        if (reveals === "a GET") return stage.turn(() => stage.room.summary(stage.now)).seq;
        if (reveals === "a checksum") {
          stage.verify(ann);
          return ann.read().checksums.at(-1)?.seq ?? 0;
        }
        const answer = stage.post("hanna", "lab", "add", { n: 1 });
        return answer.ok ? (answer.seq ?? 0) : 0;
      };
      const seq = revealed();
      expect(ann.violations).toEqual([]);
      await stage.crash();
      expect(stage.room.summary(stage.now).seq).toBeGreaterThanOrEqual(seq);
    },
  );
});

describe("a write that fails", () => {
  it.each(["a frame", "an alarm", "a snapshot"])(
    "[F1] the room reports the failure to the platform: %s",
    async (what) => {
      const stage = await RoomStage.open();
      const ann = stage.join("ann");
      stage.advance(100);
      if (what === "a snapshot") {
        for (let n = 0; n < 510; n++) {
          stage.say(ann, `${n}`);
          stage.advance(10);
        }
        expect(stage.runtime.keys("s/")).toEqual([]);
      }
      if (what === "an alarm") stage.runtime.now = (stage.runtime.alarmAt ?? 0) + 1;
      stage.runtime.failWrites(what === "a snapshot" ? 2 : 1);
      if (what === "an alarm") {
        stage.runtime.turn(() => {
          stage.runtime.beginAlarm();
          stage.room.alarm(stage.now);
        });
      } else
        stage.runtime.turn(() =>
          stage.room.receive(
            ann.peer.id,
            '{"t":"do","id":"x","f":"chat","a":"say","d":{"text":"x"}}',
            stage.now,
          ),
        );
      await new Promise((done) => setImmediate(done));
      expect(stage.runtime.brokenCount).toBeGreaterThan(0);
      expect(stage.runtime.reports.map(({ problem }) => problem)).not.toEqual([]);
    },
  );

  it("[F1] the room reports a write that throws at once, and builds nothing more on the lost state", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    stage.say(ann, "opens the window");
    for (let n = 0; n < 10; n++) stage.say(ann, "gathers".repeat(50));
    stage.runtime.failWrites(1, "throwing");
    // The open frame must close first, because the two do not fit in one.
    stage.runtime.turn(() =>
      stage.room.receive(
        ann.peer.id,
        '{"t":"do","id":"x","f":"lab","a":"many","d":{"count":59,"chars":940}}',
        stage.now,
      ),
    );
    await new Promise((done) => setImmediate(done));
    expect(stage.runtime.brokenCount).toBeGreaterThan(0);
  });
});
