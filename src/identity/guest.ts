import { keyedId, randomId } from "../lib/ids";
import { isDisplayName } from "../text/display-name";
import { signToken, verifyToken } from "./token";
import { GUEST_PREFIX } from "./user-id";
import { type IdentityResult, invalidToken } from "./user-identity";

const DAY_MS = 86_400_000;
/** A guest who comes back within a week is the same guest … */
export const GUEST_TOKEN_MS = 7 * DAY_MS;
/** … and within another, if the token is brought to be renewed. */
export const GUEST_RENEW_MS = 7 * DAY_MS;

/** Under this, a tab's key may be a name or a counter that somebody else has too; partysocket's own have 36. */
const MIN_TAB_KEY_CHARS = 20;

export interface Guest {
  user: string;
  name: string;
  token: string;
  expiresAt: number;
}

/** A tab's key names the same guest each time, and the guest's id does not tell the key. */
export async function toGuestId(
  tabKey: string | undefined,
  secret: string,
  fresh = randomId,
): Promise<string> {
  if (tabKey === undefined || tabKey.length < MIN_TAB_KEY_CHARS) return GUEST_PREFIX + fresh();
  return GUEST_PREFIX + (await keyedId(`guest:${tabKey}`, secret));
}

/** `name` as far as it is one; otherwise the guest is called after the id. `openedAt`: of a guest who is renewed. */
export async function issueGuest(
  user: string,
  name: string,
  secret: string,
  now: number,
  openedAt = now,
): Promise<Guest> {
  const displayName = isDisplayName(name)
    ? name
    : `Guest${user.slice(GUEST_PREFIX.length, GUEST_PREFIX.length + 4)}`;
  const expiresAt = Math.floor((now + GUEST_TOKEN_MS) / 1000) * 1000;
  const claims = { user, name: displayName, guest: true, opened: Math.floor(openedAt / 1000) } as const;
  const token = await signToken(claims, secret, now, expiresAt);
  return { user, name: displayName, token, expiresAt };
}

/** Whose token this is, if it is a guest's that may still be renewed. */
export async function verifyOldGuest(token: string, secret: string, now: number): Promise<IdentityResult> {
  const read = await verifyToken(token, secret, now, GUEST_RENEW_MS);
  if (read.ok && !read.who.guest) return invalidToken("Only a guest's token can be renewed here.");
  return read;
}
