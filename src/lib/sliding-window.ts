import type { Rate } from "../protocol/rates";

/**
 * The times of each user's accepted actions, by rule.
 *
 *     perMs ────────────────────────┐
 *     ──×────┼──×──────×───────×────┤ now        count = 3: full until the first × inside leaves
 *            └──────────────────────┘            at ×₁ + perMs, which is the wait that `wait` returns
 *
 * A rejected action is not recorded, so trying again does not lengthen the wait.
 */
export class SlidingWindow {
  readonly #rules = new Map<string, Map<string, number[]>>();

  /** Milliseconds until the next action is allowed; 0 if it is allowed now. */
  wait(rule: string, user: string, rate: Rate, now: number): number {
    const users = this.#rules.get(rule);
    const stamps = users?.get(user);
    if (!users || !stamps) return 0;
    dropBefore(stamps, now - rate.perMs);
    if (stamps.length === 0) users.delete(user);
    if (stamps.length < rate.count) return 0;
    return (stamps[stamps.length - rate.count] as number) + rate.perMs - now;
  }

  stamp(rule: string, user: string, at: number): void {
    const users = this.#rules.get(rule);
    const stamps = users?.get(user);
    if (stamps) stamps.push(at);
    else if (users) users.set(user, [at]);
    else this.#rules.set(rule, new Map([[user, [at]]]));
  }

  /** The recorded times after `edge`, oldest first. */
  since(rule: string, user: string, edge: number): readonly number[] {
    return (
      this.#rules
        .get(rule)
        ?.get(user)
        ?.filter((at) => at > edge) ?? []
    );
  }

  forget(rule: string, user: string): void {
    this.#rules.get(rule)?.delete(user);
  }

  /** Removes times that have aged out, so that memory grows with recent users only. */
  sweep(rates: ReadonlyMap<string, Rate>, now: number): void {
    for (const [rule, users] of this.#rules) {
      const perMs = rates.get(rule)?.perMs ?? 0;
      for (const [user, stamps] of users) {
        dropBefore(stamps, now - perMs);
        if (stamps.length === 0) users.delete(user);
      }
      if (users.size === 0) this.#rules.delete(rule);
    }
  }

  /** For the snapshot. */
  entries(): [rule: string, user: string, stamps: number[]][] {
    return [...this.#rules].flatMap(([rule, users]) =>
      [...users].map(([user, stamps]): [string, string, number[]] => [rule, user, [...stamps]]),
    );
  }

  /** The number of recorded times. */
  get stampCount(): number {
    let count = 0;
    for (const users of this.#rules.values()) for (const stamps of users.values()) count += stamps.length;
    return count;
  }

  /** The number of (rule, user) pairs with a recorded time. */
  get size(): number {
    let size = 0;
    for (const users of this.#rules.values()) size += users.size;
    return size;
  }
}

function dropBefore(stamps: number[], edge: number): void {
  let gone = 0;
  while (gone < stamps.length && (stamps[gone] as number) <= edge) gone++;
  if (gone > 0) stamps.splice(0, gone);
}
