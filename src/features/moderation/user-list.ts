/** What is kept by user, in the order it came to be known: an array, for ids are any text and a list has no prototype. */
export type UserList<T> = readonly (readonly [user: string, held: T])[];

export function getFor<T>(list: UserList<T>, user: string): T | undefined {
  return list.find(([holder]) => holder === user)?.[1];
}

/** With one more, or another for the same user; the oldest goes where there would be too many. */
export function setFor<T>(list: UserList<T>, user: string, value: T, most: number): UserList<T> {
  return [...list.filter(([holder]) => holder !== user), [user, value] as const].slice(-most);
}

export function removeFor<T>(list: UserList<T>, user: string): UserList<T> {
  return list.some(([holder]) => holder === user) ? list.filter(([holder]) => holder !== user) : list;
}
