/** An item that was found to blame, and what was said of it. */
export interface Culprit<T> {
  item: T;
  reason: string;
}

/** Past so many trials what is not yet told apart is blamed as a whole: a batch that is all bad must end too. */
const MAX_TRIALS = 400;
/** Four at a time: one bad item costs trials of 1.3 times the whole, where halves would cost twice. */
const SEPARATE_PARTS = 4;
/** Beside all the others each trial is of nearly the whole, and fewer are better. */
const COMBINED_PARTS = 2;

/**
 * Parts items that can be written together from those that cannot, where `problem` is what is wrong with all of them. `trial`
 * answers with what is wrong with some of them, or nothing. Some items are bad only together (two that add up to too
 * much): those are found by adding parts to what is known to be good. Where both sorts are among them, only the first are
 * found: whoever asked tries what is left, and asks again.
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

  /** Answers the good ones among some that are not all good. */
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
