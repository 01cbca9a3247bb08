import type { CloseInfo } from "../session/transport";
import type { TokenStore } from "./token-store";

export interface GuestToken {
  token: string;
  name: string;
  expiresAt: number;
}

/** A request for a token failed, with the close that follows from it: final, or to be tried again. */
export class TokenError extends Error {
  constructor(readonly close: CloseInfo) {
    super(close.reason);
  }
}

/** A token with less time left is not worth opening a socket with. */
const MIN_REMAINING_MS = 60_000;
const REQUEST_TIMEOUT_MS = 15_000;
/** Another tab sees a change of `localStorage` some milliseconds later. */
const STORAGE_SYNC_MS = 100;

/** Requests in flight, so that rooms joined at the same moment share one guest. */
const inFlight = new WeakMap<TokenStore, Map<string, Promise<GuestToken>>>();

/** The guest that this browser is at an origin. Reads the stored token, or requests one and stores it. */
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
  // A browser that forbids storage forbids locks too. A `TokenError` comes from the request itself and is final here.
  const retryUnlocked = (error: unknown) => {
    if (error instanceof TokenError) throw error;
    return getOrRequest();
  };
  // One tab at a time, so that the first two tabs of a browser become the same guest.
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
    // The browser's own message helps no user.
    throw new TokenError({ code: 1006, reason: "" });
  });
  if (ok && isGuestToken(body)) return body;
  // The old token cannot be renewed: it is too old, or its secret was replaced. A new guest is opened.
  if (status === 401 && oldToken !== undefined) return requestGuest(origin, name, undefined);
  throw new TokenError(responseToCloseInfo(origin, status, body));
}

/**
 * Has its own deadline beside the signal's. Node 20 loses a signal that fires between the last byte of a compressed answer and
 * its decoding, and `json()` would then never settle.
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

/** A bad request is final. Other answers, also those of a proxy, may be better later. */
function responseToCloseInfo(origin: string, status: number, body: unknown): CloseInfo {
  const { message, retryAfterMs } = (body ?? {}) as { message?: unknown; retryAfterMs?: number };
  if (typeof message !== "string") return { code: 1013, reason: `${origin} answered ${status}.` };
  const code = [400, 401, 403, 404].includes(status) ? 4_000 + status : 1013;
  return { code, reason: message, retryAfterMs };
}

interface StoredGuest extends GuestToken {
  /** The requested name; the server may have assigned another. */
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
