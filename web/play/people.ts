import type { View } from "./view";

export interface Person {
  user: string;
  name: string;
  isYou: boolean;
  isGuest: boolean;
  isHost: boolean;
  isTyping: boolean;
  status?: string;
}

/** Yourself first, then those who lead, then by name: a list that does not jump when somebody comes. */
export function toPeople({ presence, you, typingUsers: typing }: View): Person[] {
  const people = Object.entries(presence.members).map(
    ([user, { name, role, status }]): Person => ({
      user,
      name,
      isYou: user === you?.user,
      isGuest: isGuestId(user),
      isHost: role !== "player",
      isTyping: typing.includes(user),
      ...(status ? { status } : {}),
    }),
  );
  return people.sort(
    (a, b) => toSortRank(a) - toSortRank(b) || a.name.localeCompare(b.name) || (a.user < b.user ? -1 : 1),
  );
}

export function findName({ presence }: View, user: string): string {
  // Ids are what people choose: one may be called like something that every object has.
  return (Object.hasOwn(presence.members, user) ? presence.members[user]?.name : undefined) ?? "Somebody";
}

function isGuestId(user: string): boolean {
  return user.startsWith("guest-");
}

function toSortRank({ isYou: you, isHost: leads }: Person): number {
  if (you) return 0;
  return leads ? 1 : 2;
}
