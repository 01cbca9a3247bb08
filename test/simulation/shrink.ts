import { playScenario, type Scenario, type Step } from "./scenario";

/** Removes from a scenario all that its breach does not need, in ever smaller pieces. */
export async function shrink(scenario: Scenario, invariant: number, tries = 400): Promise<Scenario> {
  const { plan } = scenario;
  const fails = async (steps: readonly Step[]) => {
    tries--;
    return (await playScenario({ plan, steps })).breach?.invariant === invariant;
  };
  const { at } = await playScenario(scenario);
  let steps: readonly Step[] = scenario.steps.slice(0, at + 1);
  if (!(await fails(steps))) steps = scenario.steps;
  for (let size = steps.length >> 1; size > 0; size = size === 1 ? 0 : (size + 1) >> 1) {
    for (let from = steps.length - size; from > -size && tries > 0; from -= size) {
      const fewer = [...steps.slice(0, Math.max(0, from)), ...steps.slice(from + size)];
      if (fewer.length < steps.length && (await fails(fewer))) steps = fewer;
    }
  }
  for (let n = 0; n < steps.length && tries > 0; n++) {
    const calm = steps.map((step, at) => (at === n ? { ...step, waitMs: 0 } : step));
    if (await fails(calm)) steps = calm;
  }
  return { plan, steps };
}
