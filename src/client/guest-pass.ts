import type { Parting } from "./session/lifeline";
import type { TokenStore } from "./token-store";

export interface Guest {
  token: string;
  name: string;
  expiresAt: number;
}

/** Why there is no token: for good, or to be tried again. */
export class PassRefused extends Error {
  constructor(readonly why: Parting) {
    super(why.reason);
  }
}

/** A token with less time left is not worth opening a socket with. */
const SPARE_MS = 60_000;
const ANSWER_MS = 15_000;
/** What one tab has put into `localStorage` is seen in another some milliseconds later. */
const SEEN_MS = 100;

/** Rooms that are joined at the same moment are joined by one guest. */
const underWay = new WeakMap<TokenStore, Map<string, Promise<Guest>>>();

/** The guest that this browser is at a place: found, opened or renewed, and kept. */
export async function guestPass(
  origin: string,
  name: string | undefined,
  anew: boolean,
  store: TokenStore,
): Promise<Guest> {
  const key = `tallyroom.guest.${origin}`;
  const flights = underWay.get(store) ?? new Map<string, Promise<Guest>>();
  underWay.set(store, flights);
  const flight = `${key}\n${name ?? ""}`;
  const locks = typeof document === "undefined" ? undefined : navigator.locks;
  const found = async () => {
    const kept = read(store, key);
    const isOther = name !== undefined && kept?.asked !== name;
    if (kept && !anew && !isOther && kept.expiresAt - Date.now() > SPARE_MS) return kept;
    const guest = await open(origin, name ?? kept?.name, kept?.token);
    keep(store, key, { ...guest, asked: name });
    if (locks && !kept) await new Promise((resolve) => setTimeout(resolve, SEEN_MS));
    return guest;
  };
  // Where storage is forbidden, so are locks; `found` itself is refused by nothing else than what it says.
  const unlocked = (error: unknown) => {
    if (error instanceof PassRefused) throw error;
    return found();
  };
  // One tab at a time, where tabs can know of each other: a browser's first two are to be one guest.
  const opening = flights.get(flight) ?? locks?.request(key, found).catch(unlocked) ?? found();
  flights.set(flight, opening);
  return opening.finally(() => flights.delete(flight));
}

async function open(origin: string, name: string | undefined, old: string | undefined): Promise<Guest> {
  const { isOk, status, body } = await answerTo(`${origin}/auth/guest`, { name, token: old }).catch(() => {
    // What a browser has to say of it is nothing to be read.
    throw new PassRefused({ code: 1006, reason: "" });
  });
  if (isOk && isGuest(body)) return body;
  // Too old to be renewed, or signed with a secret that is no more: somebody new, then.
  if (status === 401 && old !== undefined) return open(origin, name, undefined);
  throw new PassRefused(partingOf(origin, status, body));
}

/**
 * With a deadline beside the signal's: Node 20 loses a signal that fires between the last byte of a compressed answer and its
 * decoding, and `json()` would be waited for until the program ends.
 */
async function answerTo(url: string, asked: object) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, ANSWER_MS);
  });
  const ask = async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(asked),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const body: unknown = await response.json().catch(() => undefined);
    return { isOk: response.ok, status: response.status, body };
  };
  try {
    return await Promise.race([ask(), deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is wrong with the request stays wrong; everything else may be better in a while, also what is not our server's word. */
function partingOf(origin: string, status: number, body: unknown): Parting {
  const { message, retryAfterMs } = (body ?? {}) as { message?: unknown; retryAfterMs?: number };
  if (typeof message !== "string") return { code: 1013, reason: `${origin} answered ${status}.` };
  const code = [400, 401, 403, 404].includes(status) ? 4_000 + status : 1013;
  return { code, reason: message, retryAfterMs };
}

interface Kept extends Guest {
  /** The name that was asked for: the server may have given another. */
  asked?: string | undefined;
}

function read(store: TokenStore, key: string): Kept | undefined {
  try {
    const kept: unknown = JSON.parse(store.getItem(key) ?? "null");
    return isGuest(kept) ? kept : undefined;
  } catch {
    // Forbidden, or not ours.
    return undefined;
  }
}

function keep(store: TokenStore, key: string, guest: Kept): void {
  try {
    store.setItem(key, JSON.stringify(guest));
  } catch {
    // Full or forbidden: the guest lasts as long as this visit.
  }
}

function isGuest(value: unknown): value is Guest {
  const { token, name, expiresAt } = (value ?? {}) as Partial<Guest>;
  return typeof token === "string" && typeof name === "string" && typeof expiresAt === "number";
}
