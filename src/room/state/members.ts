import type { Role } from "../../protocol/codes";
import { Names } from "./names";

/** A user in a room, however many sockets they have. */
export interface Member {
  readonly user: string;
  /** As it is shown here. */
  readonly name: string;
  /** As they came with it, where that is another. */
  readonly requestedName?: string;
  readonly role: Role;
  /** An admin whose token is for every room. */
  readonly allRooms?: true;
  readonly guest?: true;
  /** Where a guest came from, as a keyed hash, where the platform tells that: a banned one does not come back as another. */
  readonly from?: string;
  /** Short, for the notes that sockets keep. */
  readonly number: number;
  readonly since: number;
  /** Nobody holds a socket for them; at this time they are said to have left. */
  readonly leavesAt?: number;
}

/** As the journal keeps it: the member as they now are, or only the user when they are gone. */
export type MemberChange = Member | { user: string };

export class Members {
  readonly #byUser = new Map<string, Member>();
  readonly #byNumber = new Map<number, Member>();
  readonly #leaving = new Map<string, number>();
  readonly names = new Names();
  lastNumber = 0;

  get all(): ReadonlyMap<string, Member> {
    return this.#byUser;
  }

  get size(): number {
    return this.#byUser.size;
  }

  get(user: string): Member | undefined {
    return this.#byUser.get(user);
  }

  byNumber(number: number): Member | undefined {
    return this.#byNumber.get(number);
  }

  apply(change: MemberChange): void {
    const before = this.#byUser.get(change.user);
    if ("number" in change) {
      this.#byUser.set(change.user, change);
      this.#byNumber.set(change.number, change);
      if (before?.name !== change.name) this.names.take(change.user, change.name);
      this.lastNumber = Math.max(this.lastNumber, change.number);
      if (change.leavesAt === undefined) this.#leaving.delete(change.user);
      else this.#leaving.set(change.user, change.leavesAt);
    } else if (before) {
      this.#byUser.delete(before.user);
      this.#byNumber.delete(before.number);
      this.#leaving.delete(before.user);
      this.names.release(before.user);
    }
  }

  /** The next time at which somebody is to be said to have left. */
  nextLeaveAt(): number {
    return Math.min(...this.#leaving.values());
  }

  /** Whose grace has ended. */
  expired(now: number): Member[] {
    return [...this.#byUser.values()].filter((member) => (this.#leaving.get(member.user) ?? Infinity) <= now);
  }
}
