import { performance } from "node:perf_hooks";

/** From this share of its core on, the generator lets messages gather before it reads them: fewer reads, later by as much. */
const THROTTLE_ABOVE = 0.65;
// Not longer: what is sent would come in bursts, and a room that sends at once handles a burst more cheaply than a stream.
const THROTTLE_MS = 2;

/** Blocks the loop for a moment while the generator is busy. The kernel goes on receiving, and no server waits for it. */
export function openThrottle() {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  let since = { at: performance.now(), cpu: process.cpuUsage() };
  let busy = 0;
  return {
    take() {
      const now = performance.now();
      if (now - since.at >= 50) {
        const { user, system } = process.cpuUsage(since.cpu);
        busy = (user + system) / 1000 / (now - since.at);
        since = { at: now, cpu: process.cpuUsage() };
      }
      if (busy > THROTTLE_ABOVE) Atomics.wait(nobody, 0, 0, THROTTLE_MS);
    },
  };
}
