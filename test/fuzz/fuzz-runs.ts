/** `FUZZ=20 npm run test:unit -- test/fuzz` runs twenty times as many cases as the default. */
const times = Number(process.env.FUZZ ?? 1);

export function fuzzRuns(numRuns: number): { numRuns: number } {
  if (!Number.isInteger(times) || times < 1) throw new Error(`FUZZ is a whole number, 1 or more.`);
  return { numRuns: numRuns * times };
}

/** Long enough for any requested number of runs. */
export const FUZZ_TIMEOUT_MS = 30_000 * times;
