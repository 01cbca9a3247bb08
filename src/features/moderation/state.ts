export const version = "cf55dbf7";

/** By user, until when. Whoever is muted without an end is until the last time that a `Date` can bear. */
export interface ModerationState {
  muted: Readonly<Record<string, number>>;
}
export type ModerationEvent = { by?: string; seq: number; at: number } & (
  | { n: "kicked"; d: { user: string } }
  | { n: "muted"; d: { user: string; untilMs: number } }
  | { n: "unmuted"; d: { user: string } }
  | { n: "banned"; d: { user: string; scope: string; untilMs?: number | undefined } }
  | { n: "unbanned"; d: { user: string; scope: string } }
);

export function initial(): ModerationState {
  return { muted: {} };
}

export function reduce(state: ModerationState, event: ModerationEvent): ModerationState {
  if (event.n !== "muted" && event.n !== "unmuted") return state;
  // Keys are what people are called, so the map has no prototype to be mistaken for an entry.
  const muted: Record<string, number> = Object.assign(Object.create(null), state.muted);
  if (event.n === "muted") muted[event.d.user] = event.d.untilMs;
  else delete muted[event.d.user];
  return { muted };
}
