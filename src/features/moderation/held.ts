/** What is kept by user, in the order it came to be known: an array, for ids are any text and a list has no prototype. */
export type Held<T> = readonly (readonly [user: string, held: T])[];

export function heldOf<T>(held: Held<T>, user: string): T | undefined {
  return held.find(([holder]) => holder === user)?.[1];
}

/** With one more, or another for the same user; the oldest goes where there would be too many. */
export function withHeld<T>(held: Held<T>, user: string, value: T, most: number): Held<T> {
  return [...held.filter(([holder]) => holder !== user), [user, value] as const].slice(-most);
}

export function withoutHeld<T>(held: Held<T>, user: string): Held<T> {
  return held.some(([holder]) => holder === user) ? held.filter(([holder]) => holder !== user) : held;
}
