import type { Role } from "../../protocol/codes";
import { MAX_MEMBERS_A_PAGE } from "../../protocol/limits";
import type { Committer } from "../commit/committer";

/** A member as those who lead the room are shown it. */
export interface ListedMember {
  user: string;
  name: string;
  role: Role;
  guest?: true;
  /** When they came. */
  since: number;
  /** Open sockets; 0 while they may still come back. */
  connections: number;
}

export interface MemberPage {
  members: ListedMember[];
  /** Where the next page begins; absent on the last one. */
  cursor?: string;
}

/** One page of the members, in the order in which they came: those after the one of that number. */
export function listMembers({ state: memory, delivery }: Committer, after: number): MemberPage {
  const rest = [...memory.members.all.values()]
    .filter(({ number }) => number > after)
    .sort((a, b) => a.number - b.number);
  const page = rest.slice(0, MAX_MEMBERS_A_PAGE);
  const members = page.map(
    ({ user, name, role, guest, since }): ListedMember => ({
      ...{ user, name, role, since },
      ...(guest ? { guest } : {}),
      connections: delivery.ofUser(user).size,
    }),
  );
  const last = page.at(-1);
  return { members, ...(last && rest.length > page.length ? { cursor: String(last.number) } : {}) };
}
