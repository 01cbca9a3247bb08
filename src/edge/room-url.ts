import type { RoomRef } from "../lib/room-ref";
import { MAX_ADDRESS_CHARS } from "../protocol/limits";
import { protocolVersions } from "../protocol/version";

export type RoomUrlResult = { ok: true; room: RoomRef } | { ok: false; tooLong: boolean; reason: string };

/**
 * Parses `/parties/<kind>/<room>`, without decoding. A room id needs no escapes, so an id with one (`%2e%2e`, `%00`) is invalid, and
 * no room has two spellings.
 */
export function parseRoomUrl(url: URL, kinds: ReadonlySet<string>): RoomUrlResult {
  if (url.href.length > MAX_ADDRESS_CHARS) {
    return {
      ok: false,
      tooLong: true,
      reason: `An address may have ${MAX_ADDRESS_CHARS} characters at most.`,
    };
  }
  const [, kind, id] = /^\/parties\/([^/]+)\/([^/]+)$/.exec(url.pathname) ?? [];
  if (kind === undefined || id === undefined) return notFound("A room's address is /parties/<kind>/<room>.");
  if (!kinds.has(kind)) return notFound("There is no such kind of room.");
  if (!/^[\w.-]{1,64}$/.test(id) || id === "." || id === "..") {
    return notFound("A room id is 1 to 64 letters, digits, dots, dashes and underscores.");
  }
  return { ok: true, room: { kind, id } };
}

/** The room's URL in `/parties/<kind>/<room>/drain`; `undefined` for another path. */
export function parseDrainUrl(url: URL): URL | undefined {
  const [, room] = /^(\/parties\/[^/]+\/[^/]+)\/drain$/.exec(url.pathname) ?? [];
  return room === undefined ? undefined : new URL(room, url);
}

/** The parameters of a socket's URL. `token` and `name` are unchecked. */
export interface SocketQuery {
  tabKey?: string;
  /** An empty token is invalid; no token is a guest. */
  token?: string;
  name?: string;
  epoch?: string;
  since?: number;
}
export type SocketQueryResult = { ok: true; query: SocketQuery } | { ok: false; reason: string };

/** Each of these may be given once. An app may add parameters of its own. */
const ownParameters = ["_pk", "token", "v", "name", "epoch", "since"] as const;

export function parseSocketQuery({ searchParams }: URL): SocketQueryResult {
  const repeated = ownParameters.find((name) => searchParams.getAll(name).length > 1);
  if (repeated) return { ok: false, reason: `The address says ${repeated} more than once.` };
  const token = searchParams.get("token");
  const [tabKey, name, epoch, since] = ["_pk", "name", "epoch", "since"].map((key) => searchParams.get(key));
  const version = searchParams.get("v") ?? "1";
  if (!protocolVersions.some((spoken) => String(spoken) === version)) {
    return {
      ok: false,
      reason: `This server speaks version ${protocolVersions.join(" and ")} of its protocol.`,
    };
  }
  // A malformed position is an error of the client. An unknown one (another epoch, a number still to come) is answered by the room,
  // with a snapshot.
  if (since && !(/^\d{1,16}$/.test(since) && Number.isSafeInteger(Number(since)))) {
    return { ok: false, reason: "In the address, since must be a whole number." };
  }
  if (epoch && !/^[!-~]{1,64}$/.test(epoch)) {
    return { ok: false, reason: "In the address, epoch must be one that a room has told." };
  }
  return {
    ok: true,
    query: {
      ...(tabKey ? { tabKey } : {}),
      ...(token === null ? {} : { token }),
      ...(name ? { name } : {}),
      // A position needs both.
      ...(epoch && since ? { epoch, since: Number(since) } : {}),
    },
  };
}

function notFound(reason: string): RoomUrlResult {
  return { ok: false, tooLong: false, reason };
}
