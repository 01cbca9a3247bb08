/** An item that was found to blame, and what was said of it. */
export interface Blamed<T> {
  item: T;
  reason: string;
}

/** Past so many trials what is not yet told apart is blamed as a whole: a batch that is all bad must end too. */
const MAX_TRIALS = 400;

/**
 * Parts items that can be written together from those that cannot, by halving. `trial` answers with what is wrong with
 * some of them, or nothing. Some items are bad only together (two that add up to too much): those are found by adding
 * the halves to what is known to be good.
 */
export async function sift<T>(
  items: readonly T[],
  trial: (some: readonly T[]) => Promise<string | undefined>,
): Promise<{ good: T[]; bad: Blamed<T>[] }> {
  let trials = 0;
  const bad: Blamed<T>[] = [];

  // Each half by itself: the trials grow smaller, and one bad item costs about two of the whole.
  const good = await halve(items, () => []);
  if ((await trial(good)) === undefined) return { good, bad };

  const together: T[] = [];
  await halve(
    good,
    () => together,
    (passed) => together.push(...passed),
  );
  return { good: together, bad };

  async function halve(
    some: readonly T[],
    beside: () => readonly T[],
    pass: (passed: readonly T[]) => void = () => {},
  ): Promise<T[]> {
    if (some.length === 0) return [];
    trials += 1;
    const problem = await trial([...beside(), ...some]);
    if (problem === undefined) {
      pass(some);
      return [...some];
    }
    if (some.length === 1 || trials >= MAX_TRIALS) {
      bad.push(...some.map((item) => ({ item, reason: problem })));
      return [];
    }
    const half = Math.ceil(some.length / 2);
    const left = await halve(some.slice(0, half), beside, pass);
    return [...left, ...(await halve(some.slice(half), beside, pass))];
  }
}
