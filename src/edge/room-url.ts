import type { RoomRef } from "../lib/room-ref";
import { MAX_ADDRESS_CHARS } from "../protocol/limits";
import { protocolVersions } from "../protocol/version";

export type RoomUrlResult = { ok: true; room: RoomRef } | { ok: false; tooLong: boolean; reason: string };

/**
 * `/parties/<kind>/<room>` and nothing else, as it stands in the address: a room id needs no escapes, so whatever carries
 * one (`%2e%2e`, `%00`) is not the id of a room, and two spellings never name one room.
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

/** `/parties/<kind>/<room>/drain`: the room's address, where it is that. */
export function parseDrainUrl(url: URL): URL | undefined {
  const [, room] = /^(\/parties\/[^/]+\/[^/]+)\/drain$/.exec(url.pathname) ?? [];
  return room === undefined ? undefined : new URL(room, url);
}

/** What a socket's query says. `token` and `name` are as they came. */
export interface SocketQuery {
  tabKey?: string;
  /** An empty token is a bad one; no token is a guest. */
  token?: string;
  name?: string;
  epoch?: string;
  since?: number;
}
export type SocketQueryResult = { ok: true; query: SocketQuery } | { ok: false; reason: string };

/** What an app adds to the query for itself is not ours to judge; of ours, each may be there once. */
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
  // A place to resume from that cannot be one is a broken client's, and it is told. One that is merely unknown here
  // (another epoch, a number still to come) is the room's to answer, with a snapshot.
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
      // One without the other is no place.
      ...(epoch && since ? { epoch, since: Number(since) } : {}),
    },
  };
}

function notFound(reason: string): RoomUrlResult {
  return { ok: false, tooLong: false, reason };
}
