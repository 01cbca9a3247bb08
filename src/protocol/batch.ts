/** The version of what follows; a worker reads this one and the one before. */
export const BATCH_VERSION = 1;

/**
 * The grain of the ledger. Midnights of every time zone, and the edges of seasons, lie between two quarters of an hour, so
 * that an entry is wholly on one side of them.
 */
export const QUARTER_MS = 900_000;

/** What one player has earned on one of the kind's boards within one quarter of an hour. */
export interface BatchEntry {
  /** As the kind declares it. Whether that is the kind's ranking, the room's own or both is the board's to say. */
  board: string;
  user: string;
  name: string;
  /** `sum`: the sum of the awards, never 0; `best`: the best; `last`: the last. */
  points: number;
  /** Of the same game as `points`; absent is 0. */
  tie?: number;
  firstAt: number;
  /** When `points` became what it is: the last award of a sum, the game that was best. In the same quarter as `firstAt`. */
  lastAt: number;
  /** The number of that event in its room: tells apart who came first within one millisecond. */
  seq: number;
}

/** A sealed part of what a room owes. Sent again it is the same, to the letter. */
export interface Batch {
  v: typeof BATCH_VERSION;
  /** `kind/id`. */
  room: string;
  epoch: string;
  /** From 1 in an epoch, each one more than the last. */
  n: number;
  /** The room was opened by a guest: only its own board is fed. */
  ownOnly?: true;
  /** The last of its epoch. It may be without entries. */
  closing?: true;
  entries: readonly BatchEntry[];
}

/** `refused`: users whose entries were not written, for they are banned; the same in every answer for one batch. */
export type BatchAnswer =
  | { applied: true; refused: string[] }
  | { applied: false; reason: "duplicate"; refused: string[] }
  | { applied: false; reason: "gap"; expected: number };
