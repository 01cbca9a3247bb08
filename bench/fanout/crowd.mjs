import { Wire } from "./wire.mjs";

/** As many sockets as shake hands at once. */
const CONNECTING = 40;
const CONNECT_TIMEOUT_MS = 60_000;
const SETTLE_TIMEOUT_MS = 20_000;
/** Nobody has heard anything for this long: longer than the second after which a room counts a large crowd anew. */
const SETTLED_AFTER_MS = 1_500;
const PROBLEMS_KEPT = 5;
const FRAMES_KEPT = 8192;

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One room as its visitors see it. */
export class Room {
  /** @type {BenchClient[]} */ clients = [];
  /** One whose every message is parsed. @type {BenchClient | undefined} */ observer;
  /** Messages sent in it. */
  sent = 0;
  /**
   * Number of a frame → the number it follows. Once one socket has parsed a frame, a gap shows on all the others too.
   * @type {Map<number, number>}
   */
  frames = new Map();

  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  /** @param {number} frame @param {number} follows */
  remember(frame, follows) {
    if (frame === follows) return; // signals alone: nothing is numbered
    this.frames.set(frame, follows);
    if (this.frames.size <= FRAMES_KEPT) return;
    for (const oldest of this.frames.keys()) {
      this.frames.delete(oldest);
      break;
    }
  }
}

/** One visitor: a socket, what came over it, and for an observer whether it was all there and in order. */
export class BenchClient {
  wire = new Wire({
    opened: () => this.crowd.adapter.opened(this),
    head: (buffer, start, length) => this.crowd.adapter.head(this, buffer, start, length),
    text: (text) => this.crowd.adapter.text(this, text),
    ended: (why) => this.#ended(why),
  });
  /** Settled while connecting. */
  ready = () => {};
  #refused = (/** @type {Error} */ _why) => {};
  /** Events or messages delivered. */
  received = 0;
  /** Observers: frames; events that nobody said (joins, counts). */
  frames = 0;
  otherEvents = 0;
  seq = 0;
  seenAtBytes = 0;
  /** @type {string | undefined} */ tab;
  /** What this person has said. */
  sentCount = 0;
  /** Last number heard from each talker. @type {Map<number, number>} */ #last = new Map();

  /**
   * @param {Crowd} crowd
   * @param {Room} room
   * @param {number} index in the room
   * @param {{ talker: number, observes: boolean }} part talker: number among the crowd's talkers, −1 if silent
   */
  constructor(crowd, room, index, { talker, observes }) {
    this.crowd = crowd;
    this.room = room;
    this.index = index;
    this.talker = talker;
    this.observes = observes;
  }

  /** @param {number} port */
  connect(port) {
    return new Promise((resolve, reject) => {
      this.ready = () => resolve(undefined);
      this.#refused = reject;
      this.wire.connect(port, this.crowd.adapter.path(this.room.name, this));
    });
  }

  /** @param {string} why */
  #ended(why) {
    this.#refused(new Error(why));
    this.crowd.isBroken = true;
    this.reportProblem(why);
  }

  /** @param {number} deliveries */
  count(deliveries) {
    this.received += deliveries;
    this.crowd.received += deliveries;
  }

  /** An observer has read a message: `talker:number:sentAt:…`. @param {string} text */
  onText(text) {
    const [who, count, at] = text.split(":", 3).map(Number);
    const talker = Number(who);
    const number = Number(count);
    const expected = (this.#last.get(talker) ?? 0) + 1;
    if (number !== expected)
      this.reportProblem(`heard ${number} of talker ${talker} where ${expected} was due`);
    this.#last.set(talker, number);
    this.crowd.onHeard(Number(at));
  }

  /** @param {string} what */
  reportProblem(what) {
    this.crowd.reportProblem(this, what);
  }
}

/** Everybody in a scenario, connected to one subject. */
export class Crowd {
  /** Deliveries over all sockets. */
  received = 0;
  /** @type {Room[]} */ rooms = [];
  /** @type {BenchClient[]} */ clients = [];
  /** @type {BenchClient[]} */ talkers = [];
  /** @type {BenchClient[]} */ observers = [];
  /** What went wrong lately, and how often ever. @type {string[]} */ problems = [];
  problemCount = 0;
  /** A socket has been lost: there is no going on with this crowd. */
  isBroken = false;
  /** @type {(sentAt: number) => void} */ onHeard = () => {};

  /**
   * @param {import("./adapters.mjs").Adapter} adapter
   * @param {import("./scenarios.mjs").Scenario} scenario
   */
  constructor(adapter, scenario) {
    this.adapter = adapter;
    this.scenario = scenario;
    const run = Date.now().toString(36);
    const talkEvery = scenario.people / scenario.talkers;
    // First and last included: who joined first is often sent to first.
    const observing = new Set(
      Array.from({ length: scenario.observers }, (_, n) =>
        scenario.observers === 1 ? 0 : Math.round((n * (scenario.people - 1)) / (scenario.observers - 1)),
      ),
    );
    for (let r = 0; r < scenario.rooms; r++) {
      const room = new Room(`bench-${run}-${r}`);
      this.rooms.push(room);
      for (let index = 0; index < scenario.people; index++) {
        const talks = Math.floor(index / talkEvery) !== Math.floor((index - 1) / talkEvery);
        // With one observer a room, a different place in each.
        const place = scenario.observers === 1 ? (index + r) % scenario.people : index;
        const person = new BenchClient(this, room, index, {
          talker: talks ? this.talkers.length : -1,
          observes: observing.has(place),
        });
        room.clients.push(person);
        this.clients.push(person);
        if (talks) this.talkers.push(person);
        if (person.observes) {
          this.observers.push(person);
          room.observer ??= person;
        }
      }
    }
  }

  /** @param {number} port */
  async connect(port) {
    const deadline = Date.now() + CONNECT_TIMEOUT_MS;
    const waiting = [...this.clients].reverse();
    const connector = async () => {
      for (let person = waiting.pop(); person !== undefined; person = waiting.pop()) {
        if (Date.now() > deadline) throw new Error("connecting the crowd took more than a minute");
        await person.connect(port);
      }
    };
    await Promise.all(Array.from({ length: CONNECTING }, connector));
    await this.#settle();
  }

  /** Waits until the last joins have been told to everybody. */
  async #settle() {
    const deadline = Date.now() + SETTLE_TIMEOUT_MS;
    for (let before = -1; before !== this.received || !this.#agree(); ) {
      if (Date.now() > deadline) throw new Error("the rooms do not come to rest");
      before = this.received;
      await sleep(SETTLED_AFTER_MS);
    }
  }

  #agree() {
    return this.rooms.every(({ clients: people }) => people.every(({ seq }) => seq === people[0]?.seq));
  }

  /** @param {BenchClient} person @param {string} what */
  reportProblem(person, what) {
    this.problemCount++;
    this.problems.push(`${person.room.name} #${person.index}: ${what}`);
    if (this.problems.length > PROBLEMS_KEPT) this.problems.shift();
  }

  close() {
    for (const { wire } of this.clients) wire.close();
  }
}
