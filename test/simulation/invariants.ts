/** What must hold at every moment. Each is checked by a part, and caught by at least one of the faults in `mutants.ts`. */
export const invariants = {
  1: "Events and records are numbered without gap or repeat in an epoch, and time in it never goes back.",
  2: "Nothing is visible (event, ack, welcome, checksum, answer) before it is durable.",
  3: "Every client's state is the fold of the log at its number, and so is every state and checksum it is given.",
  4: "No action is done twice.",
  5: "Limits are never passed, in any window.",
  6: "A room that stores anything has an alarm, at most `idleMs` ahead; a room that idles has that alone, and rings seldom.",
  7: "Storage holds what its head reaches and nothing else, and so much of it as recovery wants.",
  8: "Memory is bounded by those who are here and by what was done lately.",
  9: "A stream begins with a welcome, has no gap, and ends with its bye.",
  10: "A private slice is what the private events make of it, for that user alone.",
  11: "What was answered once is answered the same again.",
  12: "Nobody who holds a socket is said to have left.",
  13: "Nothing throws but what was made to fail.",
  14: "Everything settles once faults stop: all is answered, and everybody holds the same.",
  15: "A room that nobody comes back to is removed, and nothing of it stays.",
  16: "A timer that came due has run.",
  17: "A reader is not sent more than it can take.",
  18: "What a room asks of the outside is asked until it is answered.",
  19: "Whoever is banned is gone with the ban, and does not come back, nor does a guest as another of the address.",
  20: "Acknowledged points are in the database exactly once, where each belongs, and none of the banned after the ban.",
  21: "A promise is settled once, and what it is told is so.",
  22: "A page's clock is the room's, as closely as it says.",
  23: "What was decided last of a ban is what the database, the object of the user and every room hold.",
  24: "A room's time is its machine's, but for as long as it takes to catch up where that was set back.",
  25: "Only an admin whose token is for all rooms bans or unbans everywhere.",
} as const;
export type Invariant = keyof typeof invariants;

export class Breach extends Error {
  constructor(
    readonly invariant: Invariant,
    readonly what: string,
  ) {
    super(`[${invariant}] ${what}`);
  }
}
