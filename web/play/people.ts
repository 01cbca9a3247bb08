import type { View } from "./view";

export interface Person {
  user: string;
  name: string;
  you: boolean;
  guest: boolean;
  leads: boolean;
  typing: boolean;
  status?: string;
}

/** Yourself first, then those who lead, then by name: a list that does not jump when somebody comes. */
export function peopleOf({ presence, you, typing }: View): Person[] {
  const people = Object.entries(presence.members).map(
    ([user, { name, role, status }]): Person => ({
      user,
      name,
      you: user === you?.user,
      guest: isGuest(user),
      leads: role !== "player",
      typing: typing.includes(user),
      ...(status ? { status } : {}),
    }),
  );
  return people.sort(
    (a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name) || (a.user < b.user ? -1 : 1),
  );
}

export function nameOf({ presence }: View, user: string): string {
  // Ids are what people choose: one may be called like something that every object has.
  return (Object.hasOwn(presence.members, user) ? presence.members[user]?.name : undefined) ?? "Somebody";
}

function isGuest(user: string): boolean {
  return user.startsWith("guest-");
}

function rank({ you, leads }: Person): number {
  if (you) return 0;
  return leads ? 1 : 2;
}
