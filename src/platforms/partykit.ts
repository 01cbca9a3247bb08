import type * as Party from "partykit/server";
import { type Config, configOf, type Environment } from "../config/config";
import type { CheckBans } from "../edge/edge-context";
import { readForwardedCall } from "../edge/forwarded-call";
import { Gateway } from "../edge/gateway";
import { decodeTicket, TICKET_HEADER } from "../edge/handshake";
import { rejectHttp, rejectionResponse } from "../edge/http/http-rejection";
import { isWorkerPath, proxyToWorker } from "../edge/signed-calls/proxy";
import { formatBye } from "../edge/socket-rejection";
import { isSocketRequest } from "../edge/socket-request";
import { withDeadline } from "../lib/deadline";
import { closeCodes } from "../protocol/codes";
import { addressRates } from "../protocol/rates";
import type { Kind } from "../room/api/kind";
import { RetrySpread } from "../room/delivery/retry-spread";
import { callPartyRoom } from "./call-party-room";
import { createIpLimitsCall, IP_LIMITS_PARTY } from "./ip-limits-party";
import { RoomHost, type RoomWiring } from "./room-host";
import { readNote, SocketPeer } from "./socket-peer";
import { toRoomStorage } from "./storage";

/** What a deployment provides for a party: for its rooms, and for their edge. */
export interface PartyWiring extends RoomWiring {
  /** Absent: no ban is looked up before a join. */
  checkBans?: CheckBans;
  /** `undefined` if the request is for neither health nor metrics. */
  answerOps(request: Request, gateway: Gateway): Promise<Response> | undefined;
}

/**
 * A kind of room as a party. PartyKit differs from Cloudflare in this:
 * - After an object was woken by its alarm, `room.id` throws until the object ends. The name is read from the URL of a request, or
 *   from storage.
 * - It delivers other requests while a room is being restored: `RoomHost` blocks them.
 * - It hides the runtime's automatic responses, so a ping wakes the room.
 */
export function createParty(
  kind: Kind,
  wire: (env: Party.Room["env"], config: Config) => PartyWiring,
): Party.Worker {
  let edge: PartyEdge | undefined;
  const edgeOf = ({ env, parties }: Pick<Party.Lobby, "env" | "parties">): PartyEdge => {
    if (edge) return edge;
    const full = withLocalDefaults(env);
    const config = configOf(full);
    const callIpLimits = createIpLimitsCall(parties);
    if (!callIpLimits) warnOfUnusedLimits(env);
    const { checkBans, answerOps } = wire(env, config);
    const gateway = new Gateway(full, {
      kinds: new Set([kind.name]),
      // PartyKit passes on no client's address.
      clientIpOf: () => undefined,
      callIpLimits,
      checkBans,
    });
    edge = { gateway, config, answerOps };
    return edge;
  };

  return class PartyRoom implements Party.Server {
    readonly options = { hibernate: true };
    readonly #host: RoomHost;
    #id: string | undefined;

    static async onBeforeConnect(request: Party.Request, lobby: Party.Lobby): Promise<Response> {
      // PartyKit treats every request with an Upgrade header as a socket.
      if (!isSocketRequest(toRequest(request)))
        return rejectionResponse(rejectHttp(400, "bad_message", NO_SOCKET));
      const { rooms } = edgeOf(lobby).gateway;
      const admitted = await rooms.admitSocket(toRequest(request));
      if (admitted instanceof Response) return admitted;
      const rejected = await rooms.checkNewRoom(admitted, () => roomExists(lobby, kind));
      return rejected ?? callPartyRoom(lobby, kind.name, admitted, true);
    }

    static async onBeforeRequest(request: Party.Request, lobby: Party.Lobby): Promise<Response> {
      const { gateway } = edgeOf(lobby);
      const { rooms } = gateway;
      const plainRequest = toRequest(request);
      const admitted = gateway.answerPreflight(plainRequest) ?? (await rooms.admitCall(plainRequest));
      const answer =
        admitted instanceof Response
          ? admitted
          : ((await rooms.checkNewRoom(admitted, () => roomExists(lobby, kind))) ??
            (await callPartyRoom(lobby, kind.name, admitted, false)));
      return gateway.withHeaders(answer, plainRequest);
    }

    /** Requests that are for neither a room nor a page: the worker's, guests, health, metrics. */
    static async onFetch(request: Party.Request, lobby: Party.FetchLobby): Promise<Response> {
      const edge = edgeOf(lobby);
      const { gateway } = edge;
      const plainRequest = toRequest(request);
      return gateway.withHeaders(
        gateway.answerPreflight(plainRequest) ?? (await answerOrProxy(plainRequest, edge)),
        plainRequest,
      );
    }

    constructor(readonly room: Party.Room) {
      const config = configOf(withLocalDefaults(room.env));
      this.#host = new RoomHost(
        {
          storage: toRoomStorage(room.storage),
          settings: config.room,
          roomName: () => (this.#id === undefined ? undefined : { kind: kind.name, id: this.#id }),
          blockWhile: (work) => room.blockConcurrencyWhile(work),
          sockets: () =>
            [...room.getConnections()].map((connection) => ({
              peer: new SocketPeer(connection),
              note: readNote(connection),
            })),
          ...wire(room.env, config),
          sync: () => room.storage.sync(),
          // PartyKit has no way to end an object. All clients reconnect, to a room restored from storage.
          abandon: () => closeAllWithRetry([...room.getConnections()]),
          isDebugging: config.debugRooms,
        },
        (name) => (name === kind.name ? kind : undefined),
      );
    }

    onConnect(connection: Party.Connection, { request }: Party.ConnectionContext): Promise<void> {
      this.#id = roomIdOf(request.url);
      return this.#host.join(new SocketPeer(connection), decodeTicket(request.headers.get(TICKET_HEADER)));
    }

    onMessage(message: unknown, connection: Party.Connection): void | Promise<void> {
      return this.#host.receive(connection, message);
    }

    onClose(connection: Party.Connection): Promise<void> {
      return this.#host.disconnected(connection);
    }

    onError(connection: Party.Connection): Promise<void> {
      return this.#host.disconnected(connection);
    }

    async onRequest(request: Party.Request): Promise<Response> {
      this.#id = roomIdOf(request.url);
      return this.#host.answer(await readForwardedCall(toRequest(request)));
    }

    onAlarm(): Promise<void> {
      return this.#host.alarm();
    }
  };
}

/** The edge of a process. */
interface PartyEdge extends Pick<PartyWiring, "answerOps"> {
  gateway: Gateway;
  config: Config;
}

/** Forwards what belongs to the worker, within the address's limit on reading, and answers the rest. */
async function answerOrProxy(request: Request, { gateway, config, answerOps }: PartyEdge): Promise<Response> {
  if (!isWorkerPath(new URL(request.url).pathname)) {
    return (await answerOps(request, gateway)) ?? gateway.answer(request);
  }
  const isRead = request.method === "GET" || request.method === "HEAD";
  const rejection = isRead ? await gateway.checkReadLimit(request, "read") : undefined;
  return rejection ? rejectionResponse(rejection) : proxyToWorker(request, config, undefined);
}

const RECONNECT_REASON = "Please come back.";
const NO_SOCKET = "A WebSocket is opened with GET; any other request has no Upgrade.";
/** A room says within milliseconds whether it exists. Without an answer the limit on new rooms is not applied. */
const EXISTS_DEADLINE_MS = 2_000;

/** Each client reconnects at a time of its own. A connection that is closing already throws, which must not stop the others. */
function closeAllWithRetry(all: readonly Party.Connection[]): void {
  const retrySpread = new RetrySpread(Math.random);
  for (const connection of all) {
    try {
      connection.send(formatBye(closeCodes.draining, RECONNECT_REASON, retrySpread.forCrowdMs(all.length)));
      connection.close(closeCodes.draining, RECONNECT_REASON);
    } catch {
      // It has closed, and the client reconnects by itself.
    }
  }
}

/**
 * PartyKit is for local development, so guests are on. It passes on no client's address, so the limits of addresses are off unless
 * they are set; then all clients count as one address.
 */
function withLocalDefaults(env: Environment): Environment {
  const limits = Object.values(addressRates).map(({ variable }) => [variable, env[variable] || "0"]);
  return { ...env, GUESTS: env.GUESTS || "on", ...Object.fromEntries(limits) };
}

/** Warns about limits that are set and not in force. */
function warnOfUnusedLimits(env: Environment): void {
  const set = Object.values(addressRates).flatMap(({ variable }) =>
    env[variable] && env[variable] !== "0" ? [variable] : [],
  );
  if (set.length === 0) return;
  const names = [...new Set(set)].join(", ");
  console.warn(
    `${names}: not in force, because partykit.json has no party "${IP_LIMITS_PARTY}" (ipLimitsParty()).`,
  );
}

/** For the edge alone: a room that was woken by its alarm has no access to parties. */
async function roomExists({ id, parties }: Party.Lobby, kind: Kind): Promise<boolean> {
  const asked = parties[kind.name]?.get(id).fetch();
  const answer = await (asked && withDeadline(() => asked, EXISTS_DEADLINE_MS, "The room gave no answer"));
  return answer?.status === 200;
}

function roomIdOf(url: string): string {
  return new URL(url).pathname.split("/")[3] ?? "";
}

/** PartyKit's types include an old copy of the runtime's. The objects are the runtime's own either way. */
function toRequest(request: Party.Request): Request {
  return request as unknown as Request;
}
