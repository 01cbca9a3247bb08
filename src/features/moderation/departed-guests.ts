import type { FeatureContext } from "../../room/api/feature";
import type { Member } from "../../room/state/members";
import type { PrivateState } from "./private-state";
import type { ModerationState } from "./state";
import { getFor } from "./user-list";

/** A host needs so long at most to notice what a guest did who has left. Later the address may be another guest's. */
export const DEPARTED_MS = 900_000;

type Context = FeatureContext<ModerationState, PrivateState>;

/** A guest who leaves before being moderated is moderated at the address all the same. */
export function noteDeparture({ user, guest, from }: Member): {
  n: "departed";
  d: { user: string; from: string };
}[] {
  return guest && from !== undefined ? [{ n: "departed", d: { user, from } }] : [];
}

/** Where a guest is, or was until not long ago, as a keyed hash. */
export function addressOf({ at, members, private: hidden }: Context, user: string): string | undefined {
  const member = members.get(user);
  if (member) return member.from;
  const departed = getFor(hidden.departed, user);
  return departed && departed.at > at - DEPARTED_MS ? departed.from : undefined;
}

/** Guests who were in the room before, and have left it. */
export function departedGuests({ private: { departed } }: Context): { user: string; from: string }[] {
  return departed.map(([user, { from }]) => ({ user, from }));
}
