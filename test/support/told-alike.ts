import { expect } from "vitest";
import type { NumberedEvent } from "../../src/protocol/messages";

/** What one reader has been told, from its first state on. */
export interface Told {
  who: string;
  events: readonly NumberedEvent[];
}

/**
 * The one story that all of them were told: no event is missing or twice in anybody's part of it, all parts are of one
 * order, and whatever two were told they were told alike. Answers it, by number.
 */
export function commonStory(readers: readonly Told[]): Map<number, NumberedEvent> {
  const story = new Map<number, NumberedEvent>();
  // Compared by hand: an `expect` for each of some hundred thousand takes half a minute.
  const faults: string[] = [];
  for (const { who, events } of readers) {
    const first = events[0]?.seq ?? 0;
    for (const [index, event] of events.entries()) {
      if (event.seq !== first + index) faults.push(`${who} was told ${event.seq} for ${first + index}`);
      const known = story.get(event.seq);
      if (!known) story.set(event.seq, event);
      else if (JSON.stringify(known) !== JSON.stringify(event)) {
        faults.push(`${who} was told another ${event.seq}: ${JSON.stringify([known, event])}`);
      }
    }
  }
  expect(faults.slice(0, 20)).toEqual([]);
  return story;
}

/** Who asked for what, and how it ended by the one promise that was made. */
export interface Promised {
  user: string;
  id: string;
  text: string;
  outcome: { is: "done" | "refused" | "unknown"; seq?: number };
}

/** Every promise is true: what it says is done was done once and under that number, and what it says was refused was not. */
export function expectTrue(promised: readonly Promised[], story: ReadonlyMap<number, NumberedEvent>): void {
  const done = new Map<string, NumberedEvent[]>();
  for (const event of story.values()) {
    if (event.op === undefined || event.by === undefined) continue;
    const key = `${event.by} ${event.op}`;
    done.set(key, [...(done.get(key) ?? []), event]);
  }
  for (const { user, id, text, outcome } of promised) {
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
