/** `FUZZ=20 npm run test:unit -- test/fuzz` tries twenty times as much as each run of the tests does. */
const times = Number(process.env.FUZZ ?? 1);

export function fuzzRuns(numRuns: number): { numRuns: number } {
  if (!Number.isInteger(times) || times < 1) throw new Error(`FUZZ is a whole number, 1 or more.`);
  return { numRuns: numRuns * times };
}

/** Long enough for whatever was asked for. */
export const FUZZ_TIMEOUT_MS = 30_000 * times;
