import * as chat from "../../src/features/chat/state";
import * as moderation from "../../src/features/moderation/state";
import * as presence from "../../src/features/presence/state";
import * as scores from "../../src/features/scores/state";
import { referenceChecksum } from "./reference-checksum";
import type { Json, WireEvent } from "./wire";

/** An event as it was read: with its own number and its frame's time. */
export interface ReadEvent extends WireEvent {
  seq: number;
  at: number;
}

export type Slices = Record<string, Json>;

const FEATURES: Record<string, { initial(): unknown; reduce(state: never, event: never): unknown }> = {
  presence,
  chat,
  moderation,
  scores,
};

/** One more event in the fold of everything: the reducers that the browser runs, over slices as the welcome gave them. */
export function foldEvent(slices: Slices, event: ReadEvent): Slices {
  const feature = FEATURES[event.f];
  if (!feature) {
    return slices;
  }
  const before = slices[event.f] ?? feature.initial();
  return { ...slices, [event.f]: feature.reduce(before as never, event as never) as Json };
}

/** The fold of a room's whole history, from nothing. */
export function foldAll(events: readonly ReadEvent[]): Slices {
  const empty = Object.fromEntries(
    Object.entries(FEATURES).map(([name, { initial }]) => [name, initial() as Json]),
  );
  return events.reduce(foldEvent, empty);
}

/** What the room's checksums have to be, computed outside of the project. */
export function computeChecksums(slices: Slices): Record<string, string> {
  return Object.fromEntries(Object.entries(slices).map(([name, slice]) => [name, referenceChecksum(slice)]));
}
