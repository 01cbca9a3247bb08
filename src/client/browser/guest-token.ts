import type { CloseInfo } from "../session/transport";
import type { TokenStore } from "./token-store";

export interface GuestToken {
  token: string;
  name: string;
  expiresAt: number;
}

/** Why there is no token: for good, or to be tried again. */
export class TokenError extends Error {
  constructor(readonly close: CloseInfo) {
    super(close.reason);
  }
}

/** A token with less time left is not worth opening a socket with. */
const MIN_REMAINING_MS = 60_000;
const REQUEST_TIMEOUT_MS = 15_000;
/** What one tab has put into `localStorage` is seen in another some milliseconds later. */
const STORAGE_SYNC_MS = 100;

/** Rooms that are joined at the same moment are joined by one guest. */
const inFlight = new WeakMap<TokenStore, Map<string, Promise<GuestToken>>>();

/** The guest that this browser is at a place: found, opened or renewed, and kept. */
export async function getGuestToken(
  origin: string,
  name: string | undefined,
  needsNewToken: boolean,
  store: TokenStore,
): Promise<GuestToken> {
  const key = `tallyroom.guest.${origin}`;
  const flights = inFlight.get(store) ?? new Map<string, Promise<GuestToken>>();
  inFlight.set(store, flights);
  const flight = `${key}\n${name ?? ""}`;
  const locks = typeof document === "undefined" ? undefined : navigator.locks;
  const getOrRequest = async () => {
    const stored = readStoredGuest(store, key);
    const isOtherName = name !== undefined && stored?.askedName !== name;
    if (stored && !needsNewToken && !isOtherName && stored.expiresAt - Date.now() > MIN_REMAINING_MS)
      return stored;
    const guest = await requestGuest(origin, name ?? stored?.name, stored?.token);
    storeGuest(store, key, { ...guest, askedName: name });
    if (locks && !stored) await new Promise((resolve) => setTimeout(resolve, STORAGE_SYNC_MS));
    return guest;
  };
  // Where storage is forbidden, so are locks; `found` itself is refused by nothing else than what it says.
  const retryUnlocked = (error: unknown) => {
    if (error instanceof TokenError) throw error;
    return getOrRequest();
  };
  // One tab at a time, where tabs can know of each other: a browser's first two are to be one guest.
  const request =
    flights.get(flight) ?? locks?.request(key, getOrRequest).catch(retryUnlocked) ?? getOrRequest();
  flights.set(flight, request);
  return request.finally(() => flights.delete(flight));
}

async function requestGuest(
  origin: string,
  name: string | undefined,
  oldToken: string | undefined,
): Promise<GuestToken> {
  const { ok, status, body } = await postJson(`${origin}/auth/guest`, { name, token: oldToken }).catch(() => {
    // What a browser has to say of it is nothing to be read.
    throw new TokenError({ code: 1006, reason: "" });
  });
  if (ok && isGuestToken(body)) return body;
  // Too old to be renewed, or signed with a secret that is no more: somebody new, then.
  if (status === 401 && oldToken !== undefined) return requestGuest(origin, name, undefined);
  throw new TokenError(responseToCloseInfo(origin, status, body));
}

/**
 * With a deadline beside the signal's: Node 20 loses a signal that fires between the last byte of a compressed answer and its
 * decoding, and `json()` would be waited for until the program ends.
 */
async function postJson(url: string, payload: object) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, REQUEST_TIMEOUT_MS);
  });
  const send = async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(payload),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const body: unknown = await response.json().catch(() => undefined);
    return { ok: response.ok, status: response.status, body };
  };
  try {
    return await Promise.race([send(), deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is wrong with the request stays wrong; everything else may be better in a while, also what is not our server's word. */
function responseToCloseInfo(origin: string, status: number, body: unknown): CloseInfo {
  const { message, retryAfterMs } = (body ?? {}) as { message?: unknown; retryAfterMs?: number };
  if (typeof message !== "string") return { code: 1013, reason: `${origin} answered ${status}.` };
  const code = [400, 401, 403, 404].includes(status) ? 4_000 + status : 1013;
  return { code, reason: message, retryAfterMs };
}

interface StoredGuest extends GuestToken {
  /** The name that was asked for: the server may have given another. */
  askedName?: string | undefined;
}

function readStoredGuest(store: TokenStore, key: string): StoredGuest | undefined {
  try {
    const stored: unknown = JSON.parse(store.getItem(key) ?? "null");
    return isGuestToken(stored) ? stored : undefined;
  } catch {
    // Forbidden, or not ours.
    return undefined;
  }
}

function storeGuest(store: TokenStore, key: string, guest: StoredGuest): void {
  try {
    store.setItem(key, JSON.stringify(guest));
  } catch {
    // Full or forbidden: the guest lasts as long as this visit.
  }
}

function isGuestToken(value: unknown): value is GuestToken {
  const { token, name, expiresAt } = (value ?? {}) as Partial<GuestToken>;
  return typeof token === "string" && typeof name === "string" && typeof expiresAt === "number";
}
