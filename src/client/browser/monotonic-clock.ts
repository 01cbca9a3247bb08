/**
 * A clock for durations. It never goes back when the machine's clock is set. It includes the time that the machine sleeps,
 * which `performance.now` leaves out in some browsers. A clock that is set forward looks like sleep and costs a reconnect.
 */
export function createMonotonicClock(wall: () => number, sinceStart: () => number): () => number {
  let now = wall();
  let lastWall = now;
  let lastSinceStart = sinceStart();
  return () => {
    const wallMs = wall() - lastWall;
    const elapsedMs = Math.max(0, sinceStart() - lastSinceStart);
    lastWall += wallMs;
    lastSinceStart += elapsedMs;
    now += wallMs > elapsedMs + MIN_SLEEP_MS ? wallMs : elapsedMs;
    return now;
  };
}

/** Smaller differences between the two clocks are drift. */
const MIN_SLEEP_MS = 1_000;
