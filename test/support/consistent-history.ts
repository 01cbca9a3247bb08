import { expect } from "vitest";
import type { NumberedEvent } from "../../src/protocol/messages";

/** The events that one reader received, from its first state on. */
export interface ReadHistory {
  who: string;
  events: readonly NumberedEvent[];
}

/**
 * The one history that all readers received: no reader misses an event or has one twice, all are in one order, and
 * readers agree on every event. Returns the history, by number.
 */
export function mergeHistories(readers: readonly ReadHistory[]): Map<number, NumberedEvent> {
  const history = new Map<number, NumberedEvent>();
  // Compared by hand: an `expect` for each of some hundred thousand takes half a minute.
  const violations: string[] = [];
  for (const { who, events } of readers) {
    const first = events[0]?.seq ?? 0;
    for (const [index, event] of events.entries()) {
      if (event.seq !== first + index) violations.push(`${who} received ${event.seq} for ${first + index}`);
      const known = history.get(event.seq);
      if (!known) history.set(event.seq, event);
      else if (JSON.stringify(known) !== JSON.stringify(event)) {
        violations.push(`${who} received another ${event.seq}: ${JSON.stringify([known, event])}`);
      }
    }
  }
  expect(violations.slice(0, 20)).toEqual([]);
  return history;
}

/** An action of a user, and the outcome that its promise reported. */
export interface SettledAction {
  user: string;
  id: string;
  text: string;
  outcome: { is: "done" | "refused" | "unknown"; seq?: number };
}

/** Checks every promise: a resolved action was done once and under that number, a refused one was not done. */
export function expectOutcomesTrue(
  actions: readonly SettledAction[],
  history: ReadonlyMap<number, NumberedEvent>,
): void {
  const done = new Map<string, NumberedEvent[]>();
  for (const event of history.values()) {
    if (event.op === undefined || event.by === undefined) continue;
    const key = `${event.by} ${event.op}`;
    done.set(key, [...(done.get(key) ?? []), event]);
  }
  for (const { user, id, text, outcome } of actions) {
    const events = done.get(`${user} ${id}`) ?? [];
    const what = `${user}'s ${id} (${outcome.is})`;
    if (outcome.is === "refused") expect(events, what).toEqual([]);
    else if (outcome.is === "unknown") expect(events.length, what).toBeLessThanOrEqual(1);
    else {
      expect(events, what).toHaveLength(1);
      expect(events[0], what).toMatchObject({ d: { text } });
      if (outcome.seq !== undefined) expect(events[0]?.seq, what).toBe(outcome.seq);
    }
  }
}
