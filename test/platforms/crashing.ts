import { describe, expect, it } from "vitest";
import { type ActionOutcome, freshId } from "../support/test-client";
import { computeChecksums, foldAll, foldEvent, type ReadEvent } from "./fold";
import type { PlatformStage } from "./platform-stage";
import { freshSeed, type Random, randomFrom } from "./random";
import type { PartyClient } from "./sockets";
import { eventually, pause } from "./waiting";
import type { Json } from "./wire";

const ROUNDS = 4;

/** Short, so that alarms ring in the middle of everything; and no guests. */
export const SHORT_IDLE_ENV = { IDLE_MS: "3000", GUESTS: "off" };

/** The newest acknowledged lines of a user. */
interface AckedLine {
  id: string;
  text: string;
  seq: number;
}

/** What an answer over HTTP has promised. */
interface PostedLine {
  seq: number;
  text: string;
}

/** `kill -9` of the whole server: everything that a client had seen is there afterwards. */
export function describeCrashes(stage: PlatformStage): void {
  describe("kill -9", () => {
    const random = randomFrom(freshSeed());

    it(`[F1] amid chatter, ${ROUNDS} times: everything that a client had seen is there, numbers go on, no member has left (SEED=${random.seed})`, async () => {
      const room = stage.makeRoomName("crash");
      const hostToken = await stage.mintToken({ sub: "hana", role: "host", rooms: ["main/*"] });
      const people = await Promise.all(
        Array.from({ length: 8 }, (_, index) => stage.joinAsMember(room, `user-${index}`, { resume: true })),
      );
      const epoch = people[0]?.epoch;
      const spoken = new Map<string, Promise<ActionOutcome>>();
      const answered = new Map<PartyClient, AckedLine>();
      const posted: PostedLine[] = [];
      const looked: number[] = [];
      const chatter = new BackgroundLoops();
      for (const [index, person] of people.entries()) {
        chatter.add(() => sayLine(person, index, random, spoken, answered));
      }
      chatter.add(() => postLine(stage, room, hostToken, posted, looked, random));

      for (let round = 1; round <= ROUNDS; round += 1) {
        await pause(150 + random.below(700));
        const restores = stage.countRestores(room);
        await stage.kill();
        await stage.restart();
        await Promise.all(
          people.map((person) => person.waitFor(() => person.welcomes[round], `welcome ${round}`, 30_000)),
        );
        await eventually(() => stage.countRestores(room) > restores, "the room restored");
        for (const [person, { id, text, seq }] of answered) {
          expect(await person.say(text, id), "what was done before is not done again").toEqual({
            kind: "ack",
            seq,
          });
        }
      }
      await pause(1000);
      expect(stage.countRestores(room), "eight came back at once, and each time to one restored room").toBe(
        1 + ROUNDS,
      );
      await chatter.stop();
      const outcomes = new Map<string, ActionOutcome>();
      for (const [id, outcome] of spoken) {
        outcomes.set(id, await outcome);
      }

      const historian = await stage.readHistory(
        room,
        String(epoch),
        await stage.mintToken({ sub: "user-0" }),
      );
      const history = historian.events;
      expect(history.map((event) => event.seq)).toEqual(history.map((_, index) => index + 1));
      expect(posted.length + looked.length, "some was seen over HTTP").toBeGreaterThan(0);

      for (const person of people) {
        for (const event of person.events) {
          expect(history[event.seq - 1], `what ${person.you.user} had read`).toEqual(event);
        }
        expect(person.welcomes.map((welcome) => welcome.epoch)).toEqual(person.welcomes.map(() => epoch));
        expect(
          person.welcomes.slice(1).every((welcome) => welcome.resumed),
          "everyone resumes",
        ).toBe(true);
      }
      for (const [id, outcome] of outcomes) {
        const seq = outcome.kind === "event" || outcome.kind === "ack" ? outcome.seq : undefined;
        expect(history[Number(seq) - 1]?.op, `${id}: ${JSON.stringify(outcome).slice(0, 200)}`).toBe(id);
      }
      for (const { seq, text } of posted) {
        expect(history[seq - 1]).toMatchObject({ n: "said", d: { text } });
      }
      for (const seq of looked) {
        expect(seq).toBeLessThanOrEqual(history.length);
      }
      const texts = history.filter((event) => event.n === "said").map((event) => event.d.text);
      expect(new Set(texts).size, "nothing happened twice").toBe(texts.length);
      expect(texts).toHaveLength(outcomes.size + posted.length);
      expect(history.filter((event) => event.n === "left")).toEqual([]);
      expectStatesMatchFold(history, people);
    }, 120_000);

    it("[F1] no stored value is too large: a room full of the largest lines is restored", async () => {
      const room = stage.makeRoomName("large");
      const people = await Promise.all(
        Array.from({ length: 30 }, (_, index) => stage.joinAsMember(room, `user-${index}`)),
      );
      const data = { blob: "💥".repeat(250) };
      await Promise.all(
        people.map((one) => one.expectEvent(one.do("presence", "set", { status: "é".repeat(64), data }))),
      );
      await Promise.all(
        people.flatMap((one) => Array.from({ length: 20 }, () => one.expectEvent(one.say("💥".repeat(500))))),
      );
      const [ann] = people;
      await ann?.waitForSeq(30 + 30 + 600);
      for (const one of people) {
        one.close();
      }
      await stage.kill();
      await stage.restart();
      const late = await stage.joinAsMember(room, "late");
      expect(late.seq).toBeGreaterThan(30 + 30 + 600);
      expect(late.slices.chat).toEqual(ann?.slices.chat);
      const { sums, own } = await late.verify();
      expect(own).toEqual(sums);
    }, 60_000);
  });
}

/** Events are kept so short a time that after each snapshot what follows is written over released records. */
export const SHORT_RECOVERY_ENV = { RECOVERY_MS: "500", IDLE_MS: "60000" };

const KILLS = 3;
/** More than a snapshot's worth between one kill and the next: each line is a frame. */
const LINES = 600;

/** The same in a room whose records lie in any order. */
export function describeCrashesInOldRoom(stage: PlatformStage): void {
  it(`[F1] kill -9 in a room that writes over released records, ${KILLS} times: all messages are there, in order, and numbers go on`, async () => {
    const room = stage.makeRoomName("late");
    const ann = await stage.joinAsMember(room, "ann", { resume: true });
    const heard: { text: string; seq: number }[] = [];
    for (let kill = 1; kill <= KILLS; kill += 1) {
      for (let line = 0; line < LINES; line += 1) {
        const text = `${kill}, line ${line}`;
        const { seq } = await ann.expectEvent(ann.say(text));
        heard.push({ text, seq });
      }
      const cutOff = Array.from({ length: 5 }, (_, n) => ann.say(`${kill}, cut off ${n}`, freshId(), 60_000));
      await stage.kill();
      await stage.restart();
      await ann.waitFor(() => ann.welcomes[kill], `welcome ${kill}`, 30_000);
      for (const each of cutOff) {
        const { kind } = await each;
        expect(["event", "ack"]).toContain(kind);
      }

      const late = await stage.joinAsMember(room, `late-${kill}`);
      expect(late.seq).toBeGreaterThan(heard.at(-1)?.seq ?? 0);
      const { messages } = late.slices.chat as { messages: { id: number; text: string }[] };
      const told = messages.filter(({ text }) => !text.includes("cut off"));
      expect(told.length).toBeGreaterThan(90);
      expect(told.map(({ id, text }) => ({ text, seq: id }))).toEqual(heard.slice(-told.length));
      const cut = messages.filter(({ text }) => text.startsWith(`${kill}, cut off`)).map(({ text }) => text);
      expect(new Set(cut).size, "a line that was cut off is there once").toBe(5);
      const { sums, own } = await late.verify();
      expect(own).toEqual(sums);
      late.close();
    }
  }, 120_000);
}

async function sayLine(
  person: PartyClient,
  index: number,
  random: Random,
  spoken: Map<string, Promise<ActionOutcome>>,
  answered: Map<PartyClient, AckedLine>,
): Promise<void> {
  const id = freshId();
  const text = `user ${index} says ${id}`;
  const outcome = person.say(text, id, 60_000);
  outcome.then(
    (is) => {
      if (is.kind === "event") answered.set(person, { id, text, seq: is.seq });
    },
    // Kept to the end, where each is looked at; until then a failure must not be an unhandled one.
    () => undefined,
  );
  spoken.set(id, outcome);
  if (random.below(10) === 0) {
    person.send({ t: "verify" });
  }
  await Promise.race([outcome, pause(200)]);
  await pause(random.below(40));
}

async function postLine(
  stage: PlatformStage,
  room: string,
  token: string,
  posted: PostedLine[],
  looked: number[],
  random: Random,
): Promise<void> {
  const action = { id: freshId(), f: "chat", a: "say", d: { text: `posted ${freshId()}` } };
  const answered = await eventually(
    async () => {
      const answer = await stage.postAction(room, action, token).catch(() => undefined);
      return answer?.status === 200 ? answer : undefined;
    },
    `an answer to ${action.id}`,
    60_000,
  );
  posted.push({ seq: Number(answered.body.seq), text: action.d.text });
  const summary = await stage.getRoom(room).catch(() => undefined);
  if (summary?.status === 200) {
    looked.push(Number(summary.body.seq));
  }
  await pause(random.below(60));
}

/** Each welcome's state and each checksum against the fold of the room's history up to its number. */
function expectStatesMatchFold(history: readonly ReadEvent[], people: readonly PartyClient[]): void {
  const states = new Map<number, unknown>();
  const sums = new Map<number, unknown>();
  for (const person of people) {
    for (const welcome of person.welcomes.filter((one) => one.state !== undefined)) {
      states.set(welcome.seq, welcome.state);
    }
    for (const checksum of person.checksums) {
      sums.set(checksum.seq, checksum.sums);
    }
  }
  expect(sums.size, "checksums were requested meanwhile").toBeGreaterThan(0);
  let folded: Record<string, Json> = foldAll([]);
  for (const event of history) {
    folded = foldEvent(folded, event);
    if (states.has(event.seq)) {
      expect(states.get(event.seq)).toEqual(folded);
    }
    if (sums.has(event.seq)) {
      expect(sums.get(event.seq), `the checksum of ${event.seq}`).toEqual(computeChecksums(folded));
    }
  }
}

/** Several clients that go on, each in turn, until the test stops them. */
class BackgroundLoops {
  private isRunning = true;
  private readonly loops: Promise<void>[] = [];

  add(turn: () => Promise<void>): void {
    this.loops.push(
      (async () => {
        while (this.isRunning) {
          await turn();
        }
      })(),
    );
  }

  async stop(): Promise<void> {
    this.isRunning = false;
    await Promise.all(this.loops);
  }
}
