import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { countTalk, openMeter } from "./meter.mjs";
import { machineBusySeconds } from "./processor.mjs";
import { judgeSample } from "./sample.mjs";
import { fanout } from "./scenarios.mjs";
import { openThrottle } from "./throttle.mjs";
import { timetable } from "./timetable.mjs";
import { frameOf } from "./wire.mjs";

/** Every message is this long: a line of talk. Its head says who, which and when. */
const TEXT_LENGTH = 100;
const LOOK_EVERY_MS = 100;
/** With this much undelivered the subject has lost, and sending more would only fill its memory. */
const MAX_BACKLOG_MS = 1500;
/** A subject that is not done by then is started again. */
const DRAIN_TIMEOUT_MS = 8000;

/**
 * @typedef {import("./crowd.mjs").Crowd} Crowd
 * @typedef {import("./crowd.mjs").BenchClient} Person
 * @typedef {import("./server.mjs").RunningServer} RunningServer
 *
 * @typedef {object} Reading
 * @property {number} at
 * @property {number} received deliveries so far
 * @property {number} frames at one observer
 * @property {number} server processor seconds
 * @property {Record<string, number>} apart of what stands beside the server
 * @property {number} generator
 * @property {number} machine everything on it
 */

/**
 * Lets a crowd talk at a rate, and watches.
 *
 *     ├─ warm ─┼────────── window ──────────┼─ drain ─┤
 *            first                        last
 *
 * @param {Crowd} crowd
 * @param {Pick<RunningServer, "processor">} server
 * @param {{ rate: number, warmMs: number, windowMs: number, seed: number }} options
 */
export async function sampleTalk(crowd, server, { rate, warmMs, windowMs, seed }) {
  const lengthMs = warmMs + windowMs;
  const messages = timetable({ talkers: crowd.talkers.length, rate, lengthMs, seed });
  // What the timetable really holds: a pace that varies makes a few messages more or fewer than the rate.
  const inWindow = messages.atMs.filter((at) => at >= warmMs).length;
  const offered = (inWindow * fanout(crowd.scenario) * 1000) / windowMs;
  const tooMuch = Math.max((offered * MAX_BACKLOG_MS) / 1000, 20 * fanout(crowd.scenario));
  const meter = openMeter(crowd);
  const lag = monitorEventLoopDelay({ resolution: 1 });
  const throttle = openThrottle();
  const began = performance.now();
  const latencies = recordLatencies(crowd, began + warmMs, messages.atMs.length);
  /** @type {{ at: number, backlog: number }[]} */
  const backlogs = [];
  /** @type {Reading | undefined} */ let first;
  let next = 0;
  let gaveUp = false;

  for (let now = began; now - began < lengthMs && !gaveUp && !crowd.isBroken; now = performance.now()) {
    if (first === undefined && now - began >= warmMs) {
      first = takeReading(crowd, server);
      lag.enable();
    }
    const upTo = next;
    while (next < messages.atMs.length && Number(messages.atMs[next]) <= now - began) next++;
    sendDue(crowd, messages.talker.subarray(upTo, next));
    meter.sent += next - upTo;
    if (now - began >= warmMs + backlogs.length * LOOK_EVERY_MS) {
      const backlog = meter.backlog();
      backlogs.push({ at: now, backlog });
      gaveUp = backlog > tooMuch;
    }
    throttle.take();
    await turn();
  }
  const last = takeReading(crowd, server);
  lag.disable();
  const drainMs = await drain(crowd, meter);
  return judgeSample({
    rate,
    offered,
    first: first ?? last,
    last,
    backlogs,
    gaveUp,
    drainMs,
    lagMs: lag.percentile(99) / 1e6,
    latencies: latencies.end(),
    ...meter.account(),
    troubles: meter.troubles(),
  });
}

/**
 * What is due now. What one talker says at once goes out in one write.
 * @param {Crowd} crowd
 * @param {Uint16Array} talkers
 */
function sendDue(crowd, talkers) {
  /** @type {Map<Person, Buffer[]>} */
  const speaking = new Map();
  for (const talker of talkers) {
    const person = /** @type {Person} */ (crowd.talkers[talker]);
    person.sentCount++;
    person.room.sent++;
    const head = `${talker}:${person.sentCount}:${performance.now().toFixed(3)}:`;
    const frame = frameOf(crowd.adapter.say(head.padEnd(TEXT_LENGTH, "x"), `${talker}-${person.sentCount}`));
    const frames = speaking.get(person);
    if (frames === undefined) speaking.set(person, [frame]);
    else frames.push(frame);
  }
  for (const [person, frames] of speaking) person.wire.sendFrames(frames);
}

/**
 * How long messages took that were sent after a moment, to each observer of their room.
 * @param {Crowd} crowd
 * @param {number} from
 * @param {number} messages
 */
function recordLatencies(crowd, from, messages) {
  const latencies = new Float64Array(messages * crowd.scenario.observers);
  let heard = 0;
  crowd.onHeard = (sentAt) => {
    if (sentAt >= from && heard < latencies.length) latencies[heard++] = performance.now() - sentAt;
  };
  return {
    end() {
      crowd.onHeard = () => {};
      return latencies.subarray(0, heard).sort();
    },
  };
}

/** @param {Crowd} crowd @param {Pick<RunningServer, "processor">} server @returns {Reading} */
function takeReading(crowd, server) {
  const { user, system } = process.cpuUsage();
  return {
    at: performance.now(),
    received: countTalk(crowd),
    frames: crowd.observers[0]?.frames ?? 0,
    ...server.processor(),
    generator: (user + system) / 1e6,
    machine: machineBusySeconds(),
  };
}

/** @param {Crowd} crowd @param {ReturnType<typeof openMeter>} meter */
async function drain(crowd, meter) {
  const began = performance.now();
  while (meter.backlog() > 0) {
    if (crowd.isBroken || performance.now() - began > DRAIN_TIMEOUT_MS) return Number.POSITIVE_INFINITY;
    await turn();
  }
  return performance.now() - began;
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
