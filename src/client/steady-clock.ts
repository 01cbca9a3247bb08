/**
 * A clock for measuring how long ago something was: it never goes back, whoever sets the machine's, and it counts the time
 * that a machine sleeps, which `performance.now` leaves out in some browsers. A clock that is set forward looks like
 * sleep, and costs a reconnect.
 */
export function steadyClock(wall: () => number, sinceStart: () => number): () => number {
  let now = wall();
  let wallWas = now;
  let startWas = sinceStart();
  return () => {
    const slept = wall() - wallWas;
    const passed = Math.max(0, sinceStart() - startWas);
    wallWas += slept;
    startWas += passed;
    now += slept > passed + SLEEP_MS ? slept : passed;
    return now;
  };
}

/** Less is the two clocks' own difference. */
const SLEEP_MS = 1_000;
