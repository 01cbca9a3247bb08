import { closeCodes } from "../../protocol/codes";
import type { Close, FeatureContext, JoinRequest } from "../../room/api/feature";
import type { Member } from "../../room/state/members";
import { type AddressHold, MAX_KNOWN, type PrivateState } from "./private-state";
import type { ModerationState } from "./state";

/**
 * Who has been a guest for longer than this when somebody at their address is moderated is not that person under another name.
 * As wide as `GUEST_LIMIT` is by default, within which an address opens 60.
 */
export const NEW_GUEST_MS = 900_000;
/** A banned guest's address is closed to new guests for as long as it opens no new ones elsewhere (D7). */
const BAN_HOLD_MS = NEW_GUEST_MS;
/** Addresses change hands: what was done about somebody there yesterday says nothing about who is there today. */
const MAX_HOLD_MS = 86_400_000;

type Context = FeatureContext<ModerationState, PrivateState>;
type HeldAction = AddressHold["what"];
/** A guest as a hold is judged by: in the room, or about to come in. */
type Guest = Pick<Member, "user" | "from" | "openedAt"> & { since?: number };

/** What is done about a guest holds for the address too. Nothing for anybody else, and where no address is known. */
export function createHold(
  context: Context,
  what: HeldAction,
  user: string,
  until = Number.POSITIVE_INFINITY,
): { n: "held"; d: AddressHold }[] {
  const { at, members, private: hidden } = context;
  const { from } = members.get(user) ?? {};
  if (from === undefined) return [];
  const untilMs = Math.min(until, at + MAX_HOLD_MS);
  const before = hidden.holds?.find(
    (hold) => hold.what === what && hold.user === user && hold.from === from && hold.untilMs > at,
  );
  // Those who have come since then are new still.
  if (before) return [{ n: "held", d: { ...before, untilMs } }];
  const others = [...members.values()].filter((member) => member.from === from && member.user !== user);
  const known = others.filter((member) => !findMutingHold(context, member)).map((member) => member.user);
  return [{ n: "held", d: { what, user, from, at, untilMs, known: known.slice(-MAX_KNOWN) } }];
}

/** What was done about somebody is lifted, and so is what it meant for their address. */
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
  if (member?.from === undefined || !findMutingHold(situation, member)) return [];
  return [{ n: "spared", d: { user, from: member.from } }];
}

/** Why a guest who is new at an address may not speak. A ban is no less than a mute, once they may come in again. */
export function findMutingHold(situation: Context, guest: Guest | undefined): AddressHold | undefined {
  return guest && findHold(situation, ["mute", "ban"], guest);
}

/** The hold that meets a guest who is new at an address, if there is one. */
function findHold(
  { at, private: { holds = none } }: Context,
  what: readonly HeldAction[],
  { user, from, since, openedAt }: Guest,
): AddressHold | undefined {
  if (from === undefined || holds.length === 0) return undefined;
  return holds.findLast(
    (hold) =>
      hold.from === from &&
      hold.untilMs > at &&
      what.includes(hold.what) &&
      !(since !== undefined && since < hold.at) &&
      !(openedAt !== undefined && openedAt <= hold.at - NEW_GUEST_MS) &&
      !hold.known.includes(user),
  );
}

/** Why a guest who is new at an address does not come in yet. */
export function rejectHeldGuest(
  situation: Context,
  { user, guest, from, openedAt }: JoinRequest,
): Close | undefined {
  const { at, members } = situation;
  if (!guest || from === undefined) return undefined;
  const { since } = members.get(user) ?? {};
  const newcomer = {
    ...{ user, from },
    ...(openedAt === undefined ? {} : { openedAt }),
    ...(since === undefined ? {} : { since }),
  };
  const hold = findHold(situation, ["kick", "ban"], newcomer);
  if (!hold) return undefined;
  const closedUntil = hold.what === "ban" ? Math.min(hold.untilMs, hold.at + BAN_HOLD_MS) : hold.untilMs;
  if (closedUntil <= at) return undefined;
  const retryAfterMs = closedUntil - at;
  const reason = `A guest at your address was removed from this room. New guests from there may come in ${Math.ceil(retryAfterMs / 1000)} s.`;
  return { closeCode: closeCodes.tooMuch, reason, retryAfterMs };
}

const none: readonly never[] = [];
