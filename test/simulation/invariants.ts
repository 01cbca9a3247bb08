/** What must hold at every moment. Each is checked by a module, and broken by at least one of the faults in `mutant-list.mjs`. */
export const invariants = {
  1: "Events and records are numbered without gap or repeat in an epoch, and time in it never goes back.",
  2: "Nothing is visible (event, ack, welcome, checksum, answer) before it is durable.",
  3: "Every client's state is the fold of the log at its number, and so is every state and checksum it is given.",
  4: "No action is done twice.",
  5: "Limits are never passed, in any window.",
  6: "A room that stores anything has an alarm, at most `idleMs` ahead; a room that idles has that alone, which runs seldom.",
  7: "Storage holds what its head reaches and nothing else, and as much of it as recovery needs.",
  8: "Memory is bounded by the members and by recent actions.",
  9: "A stream begins with a welcome, has no gap, and ends with its bye.",
  10: "A private slice is what the private events make of it, for that user alone.",
  11: "A repeated action gets the same answer again.",
  12: "A member with a socket is never reported as left.",
  13: "Nothing throws but what was made to fail.",
  14: "Everything settles once faults stop: every action is answered, and all clients hold the same state.",
  15: "An abandoned room is removed, and nothing of it stays.",
  16: "A timer that came due has run.",
  17: "A reader is not sent more than it can take.",
  18: "A room retries an effect until it is answered.",
  19: "A banned user is gone with the ban and does not come back, nor does a guest as another of the address.",
  20: "Acknowledged points are in the database exactly once, where each belongs, and none of the banned after the ban.",
  21: "A promise is settled once, and truthfully.",
  22: "A page's clock is the room's, as closely as it says.",
  23: "The database, the user's object and every room hold the newest decision on a ban.",
  24: "A room's time is its machine's, except while it catches up after that was set back.",
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
