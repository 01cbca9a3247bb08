import { closeCodes } from "../../protocol/codes";
import type { Close, FeatureContext, JoinRequest } from "../../room/api/feature";
import { isSameNetwork } from "../../room/api/network";
import type { Member } from "../../room/state/members";
import { addressOf, departedGuests } from "./departed-guests";
import { type AddressHold, MAX_KNOWN, type PrivateState } from "./private-state";
import type { ModerationState } from "./state";

/** A banned guest's address is closed to new guests for as long as it opens no new ones elsewhere (D7). */
export const CLOSED_MS = 900_000;
/** Addresses change hands: what was done about a guest there yesterday says nothing about who is there today. */
const MAX_HOLD_MS = 86_400_000;
/** Strangers share a network more often than an address. Within this, a guest who moves through it has lost interest. */
export const NETWORK_HOLD_MS = 3_600_000;
/** Guests of so many of its addresses were moderated: then one guest moves through the network, most likely. */
const ADDRESSES_OF_A_MOVER = 2;

type Context = FeatureContext<ModerationState, PrivateState>;
type HeldAction = AddressHold["what"];
/** A guest as a hold is applied: in the room (`since`), or about to join. */
type Guest = Pick<Member, "user" | "from"> & { since?: number };

/** What is done about a guest holds for the address too. Nothing for other users, and where no address is known. */
export function createHold(
  context: Context,
  what: HeldAction,
  user: string,
  until = Number.POSITIVE_INFINITY,
): { n: "held"; d: AddressHold }[] {
  const { at, members, private: hidden } = context;
  const from = addressOf(context, user);
  if (from === undefined) return [];
  const untilMs = Math.min(until, at + MAX_HOLD_MS);
  const before = hidden.holds?.find(
    (hold) => hold.what === what && hold.user === user && hold.from === from && hold.untilMs > at,
  );
  // Those who have come since then are new still.
  if (before) return [{ n: "held", d: { ...before, untilMs } }];
  const isKnown = (guest: Guest) =>
    guest.user !== user &&
    guest.from !== undefined &&
    isSameNetwork(guest.from, from) &&
    mutedUntil(context, guest) === 0;
  const guests: Guest[] = [...members.values(), ...departedGuests(context)];
  const known = [...new Set(guests.filter(isKnown).map((guest) => guest.user))];
  return [{ n: "held", d: { what, user, from, at, untilMs, known: known.slice(-MAX_KNOWN) } }];
}

/** What was done about a guest is lifted, and so is what it meant for the address. */
export function liftHold(
  { private: { holds = none } }: Context,
  what: "mute" | "ban",
  user: string,
): { n: "released"; d: { what: "mute" | "ban"; user: string } }[] {
  const isHeld = holds.some((hold) => hold.what === what && hold.user === user);
  return isHeld ? [{ n: "released", d: { what, user } }] : [];
}

/** A guest may speak who was muted for the address alone. */
export function exemptGuest(
  situation: Context,
  user: string,
): { n: "spared"; d: { user: string; from: string } }[] {
  const member = situation.members.get(user);
  if (member?.from === undefined || mutedUntil(situation, member) === 0) return [];
  return [{ n: "spared", d: { user, from: member.from } }];
}

/** Until when a guest who is new at an address, or in its network, may not speak; 0 if they may. */
export function mutedUntil(context: Context, guest: Guest): number {
  return Math.max(0, ...holdsFor(context, guest).map((hold) => endOf(hold, guest)));
}

/** Why a guest who is new at an address does not come in yet. */
export function rejectHeldGuest(context: Context, { user, guest, from }: JoinRequest): Close | undefined {
  const { at, members } = context;
  if (!guest || from === undefined) return undefined;
  const { since } = members.get(user) ?? {};
  const newcomer = { user, from, ...(since === undefined ? {} : { since }) };
  const holds = holdsFor(context, newcomer);
  const isMoving = new Set(holds.map((hold) => hold.from)).size >= ADDRESSES_OF_A_MOVER;
  const closing = isMoving ? holds : holds.filter((hold) => hold.from === from);
  const closedUntil = Math.max(0, ...closing.map(closedUntilOf));
  if (closedUntil <= at) return undefined;
  const retryAfterMs = closedUntil - at;
  const reason = `A guest at your address was removed from this room. New guests from there may come in ${Math.ceil(retryAfterMs / 1000)} s.`;
  return { closeCode: closeCodes.tooMuch, reason, retryAfterMs };
}

/** The holds that apply to a guest: those of the address and of its network that were set before the room knew the guest. */
function holdsFor({ at, private: { holds = none } }: Context, guest: Guest): readonly AddressHold[] {
  const { user, from, since = Number.POSITIVE_INFINITY } = guest;
  if (from === undefined || holds.length === 0) return none;
  return holds.filter(
    (hold) =>
      isSameNetwork(hold.from, from) &&
      endOf(hold, guest) > at &&
      !(since < hold.at) &&
      !hold.known.includes(user),
  );
}

function endOf({ from, at, untilMs }: AddressHold, guest: Guest): number {
  return from === guest.from ? untilMs : Math.min(untilMs, at + NETWORK_HOLD_MS);
}

/** A ban is no less than a mute once new guests may come in again, and so its hold ends later than this. */
function closedUntilOf({ what, at, untilMs }: AddressHold): number {
  if (what === "mute") return 0;
  return what === "ban" ? Math.min(untilMs, at + CLOSED_MS) : untilMs;
}

const none: readonly never[] = [];
