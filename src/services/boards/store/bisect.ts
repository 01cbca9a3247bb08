/** An item that fails, and the reason. */
export interface Culprit<T> {
  item: T;
  reason: string;
}

/** After this many trials all unresolved items count as failing, so that a batch of only bad items ends too. */
const MAX_TRIALS = 400;
/** With four parts one bad item costs trials of 1.3 times the whole. With two parts it would cost twice the whole. */
const SEPARATE_PARTS = 4;
/** In the second pass each trial has nearly all items, so fewer trials are better. */
const COMBINED_PARTS = 2;

/**
 * Separates items that can be written together from those that cannot. `problem` is the error of all items together; `trial`
 * returns the error of some of them, or `undefined`. Some items fail only in combination (two that add up to too much). Those
 * are found by adding parts to the known good items. If both sorts occur, only the first sort is found, and the caller tries the
 * rest and calls again.
 */
export async function bisect<T>(
  items: readonly T[],
  problem: string,
  trial: (some: readonly T[]) => Promise<string | undefined>,
): Promise<{ good: T[]; bad: Culprit<T>[] }> {
  let trials = 0;
  const bad: Culprit<T>[] = [];

  const separateGood = await split(items, problem, SEPARATE_PARTS, (some) => trial(some));
  if (bad.length > 0) return { good: separateGood, bad };

  const good: T[] = [];
  await split(items, problem, COMBINED_PARTS, async (some) => {
    const partProblem = await trial([...good, ...some]);
    if (partProblem === undefined) good.push(...some);
    return partProblem;
  });
  return { good, bad };

  /** Returns the good items among some that fail together. */
  async function split(
    some: readonly T[],
    partProblem: string,
    ways: number,
    test: (part: readonly T[]) => Promise<string | undefined>,
  ): Promise<T[]> {
    if (some.length <= 1 || trials >= MAX_TRIALS) {
      bad.push(...some.map((item) => ({ item, reason: partProblem })));
      return [];
    }
    const size = Math.ceil(some.length / ways);
    const passed: T[] = [];
    for (let from = 0; from < some.length; from += size) {
      const part = some.slice(from, from + size);
      trials += 1;
      const problem = await test(part);
      passed.push(...(problem === undefined ? part : await split(part, problem, ways, test)));
    }
    return passed;
  }
}
