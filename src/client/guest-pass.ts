import type { Parting } from "./session/lifeline";
import type { TokenStore } from "./token-store";

export interface Guest {
  token: string;
  user: string;
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
  const kept = read(store, key);
  const isOther = name !== undefined && kept?.asked !== name;
  if (kept && !anew && !isOther && kept.expiresAt - Date.now() > SPARE_MS) return kept;
  const flights = underWay.get(store) ?? new Map<string, Promise<Guest>>();
  underWay.set(store, flights);
  const flight = `${key}\n${name ?? ""}`;
  const opening =
    flights.get(flight) ??
    open(origin, name ?? kept?.name, kept?.token).then((guest) => {
      keep(store, key, { ...guest, ...(name === undefined ? {} : { asked: name }) });
      return guest;
    });
  flights.set(flight, opening);
  try {
    return await opening;
  } finally {
    flights.delete(flight);
  }
}

async function open(origin: string, name: string | undefined, old: string | undefined): Promise<Guest> {
  const response = await fetch(`${origin}/auth/guest`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      ...(name === undefined ? {} : { name }),
      ...(old === undefined ? {} : { token: old }),
    }),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const body: unknown = await response.json();
  if (response.ok && isGuest(body)) return body;
  // Too old to be renewed, or signed with a secret that is no more: somebody new, then.
  if (response.status === 401 && old !== undefined) return open(origin, name, undefined);
  throw new PassRefused(partingOf(response.status, body));
}

/** What is wrong with the request stays wrong; everything else may be better in a while. */
function partingOf(status: number, body: unknown): Parting {
  const { message, retryAfterMs } = (body ?? {}) as { message?: unknown; retryAfterMs?: unknown };
  const reason = typeof message === "string" ? message : `The server answered ${status}.`;
  const codes: Readonly<Record<number, number>> = { 400: 4400, 401: 4401, 403: 4403, 404: 4404 };
  const code = codes[status] ?? 1013;
  return { code, reason, ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}) };
}

interface Kept extends Guest {
  /** The name that was asked for: the server may have given another. */
  asked?: string;
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
  if (typeof value !== "object" || value === null) return false;
  const { token, user, name, expiresAt } = value as Record<string, unknown>;
  const texts = [token, user, name].every((text) => typeof text === "string");
  return texts && typeof expiresAt === "number";
}
