/**
 * Who speaks when: the same for every subject. Each talker keeps to their own pace, give or take half of it, as people do;
 * an even beat would let some pairs always meet within a frame and others never.
 *
 * @param {{ talkers: number, rate: number, lengthMs: number, seed: number }} options
 * @returns {{ atMs: Float64Array, talker: Uint16Array }} in order of time
 */
export function timetable({ talkers, rate, lengthMs, seed }) {
  const random = mulberry32(seed);
  const paceMs = (1000 * talkers) / rate;
  /** @type {number[]} */
  const atMs = [];
  /** @type {number[]} */
  const talker = [];
  for (let who = 0; who < talkers; who++) {
    for (let at = random() * paceMs; at < lengthMs; at += paceMs * (0.5 + random())) {
      atMs.push(at);
      talker.push(who);
    }
  }
  const order = Uint32Array.from(atMs.keys()).sort((a, b) => Number(atMs[a]) - Number(atMs[b]));
  return {
    atMs: Float64Array.from(order, (index) => Number(atMs[index])),
    talker: Uint16Array.from(order, (index) => Number(talker[index])),
  };
}

/** A small seeded generator, so that every subject meets the same crowd. @param {number} seed */
function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
