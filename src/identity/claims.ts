import { type Role, roles } from "../protocol/codes";
import { MAX_NAME_CHARS, MAX_USER_CHARS } from "../protocol/limits";
import { cutName, isDisplayName } from "../text/display-name";
import { isRoomPattern } from "./room-pattern";
import { GUEST_PREFIX, isUserId } from "./user-id";
import { type IdentityResult, invalidToken as refuse } from "./user-identity";

/** Reads a token's claims after its signature was verified. The signer may still have put nonsense into them. */
export function parseClaims(claims: Readonly<Record<string, unknown>>): IdentityResult {
  const { sub, exp, name, role = "player", rooms } = claims;
  const guest = claims.guest === true;
  // Beyond this, milliseconds are no longer exact: the number is a mistake, or an attempt at a token that never expires.
  if (typeof exp !== "number" || !(Math.abs(exp * 1000) <= Number.MAX_SAFE_INTEGER)) {
    return refuse("The token has no expiry time (exp, in seconds).");
  }
  if (!isUserId(sub)) {
    return refuse(
      `The token's user id (sub) must be 1 to ${MAX_USER_CHARS} characters, none of them a control character.`,
    );
  }
  if (sub.startsWith(GUEST_PREFIX) !== guest) {
    return refuse(`User ids that begin with ${GUEST_PREFIX} are reserved for this server's guests.`);
  }
  if (name !== undefined && !isDisplayName(name)) {
    return refuse(
      `The token's name must be 1 to ${MAX_NAME_CHARS} characters, none of them a control character.`,
    );
  }
  if (!isRole(role)) return refuse(`The token's role must be one of ${roles.join(", ")}.`);
  if (guest && role !== "player") return refuse("A guest's role is player.");
  if (rooms !== undefined && !(Array.isArray(rooms) && rooms.every(isRoomPattern))) {
    return refuse("The token's rooms must be a list of kind/id patterns, such as main/hall or quiz/*.");
  }
  if (role === "host" && !rooms?.length) return refuse("A host's token must name its rooms.");
  const openedAt = guest ? openedAtOf(claims) : undefined;
  return {
    ok: true,
    who: {
      user: sub,
      name: name ?? cutName(sub),
      role,
      guest,
      expiresAt: Math.floor(exp * 1000),
      ...(rooms === undefined ? {} : { rooms }),
      ...(openedAt === undefined ? {} : { openedAt }),
    },
  };
}

/** A token of before `opened` was written says at least when it was made. */
function openedAtOf({ opened, iat }: Readonly<Record<string, unknown>>): number | undefined {
  const seconds = typeof opened === "number" ? opened : iat;
  if (typeof seconds !== "number") return undefined;
  const openedAt = Math.floor(seconds * 1000);
  return Number.isSafeInteger(openedAt) ? openedAt : undefined;
}

function isRole(value: unknown): value is Role {
  return roles.some((role) => role === value);
}
