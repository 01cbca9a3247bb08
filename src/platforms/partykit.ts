import type * as Party from "partykit/server";
import type { Config } from "../config/config";
import { withHeaders } from "../edge/cors";
import { readForwardedCall, readForwardedCors } from "../edge/forwarded-call";
import { Gateway } from "../edge/gateway";
import { decodeTicket, TICKET_HEADER } from "../edge/handshake";
import { rejectHttp, rejectionResponse } from "../edge/http/http-rejection";
import { createIpLimitsCall, IP_LIMITS_PARTY } from "../edge/ip-limits/partykit-ip";
import { isWorkerPath, proxyToWorker } from "../edge/signed-calls/proxy";
import { createWorkerClient, standaloneHandlers } from "../edge/signed-calls/worker-client";
import { formatBye } from "../edge/socket-rejection";
import { isSocketRequest } from "../edge/socket-request";
import { withDeadline } from "../lib/deadline";
import { closeCodes } from "../protocol/codes";
import { addressRates } from "../protocol/rates";
import type { Kind } from "../room/api/kind";
import { RetrySpread } from "../room/delivery/retry-spread";
import { logAnomalies } from "../services/boards/ingest/batch-effect";
import { createWorkerSink } from "../services/boards/ingest/worker-sink";
import { RoomHost } from "./room-host";
import { type CustomEffects, type EffectHandlers, openCustomHandlers } from "./run-effect";
import { readNote, SocketPeer } from "./socket-peer";
import { toRoomStorage } from "./storage";

/**
 * A kind of room as a party. True of PartyKit alone:
 * - `room.id` throws once an object has woken by its alarm, for the rest of that life: the name is read from the address
 *   of the request, or from storage.
 * - It does not hold other requests back while a room loads: `RoomHost` blocks them.
 * - It hides the runtime's automatic answers, so a ping wakes the room.
 */
export function partyOf(
  kind: Kind,
  { effects }: { effects?: CustomEffects<Party.Room["env"]> } = {},
): Party.Worker {
  let gateway: Gateway | undefined;
  const gatewayOf = ({ env, parties }: Pick<Party.Lobby, "env" | "parties">) => {
    if (gateway) return gateway;
    const full = withLocalDefaults(env);
    const callIpLimits = createIpLimitsCall(parties);
    if (!callIpLimits) warnOfUnusedLimits(env);
    const fetchBans = createWorkerClient(Gateway.readConfig(full))?.fetchBans;
    gateway = new Gateway(full, {
      kinds: new Set([kind.name]),
      clientIpOf: () => undefined,
      callIpLimits,
      fetchBans,
    });
    return gateway;
  };

  return class PartyRoom implements Party.Server {
    readonly options = { hibernate: true };
    readonly #host: RoomHost;
    #id: string | undefined;

    static async onBeforeConnect(request: Party.Request, lobby: Party.Lobby): Promise<Forwarded> {
      // PartyKit takes any request with such a header for a socket.
      if (!isSocketRequest(toRequest(request)))
        return rejectionResponse(rejectHttp(400, "bad_message", NO_SOCKET));
      const gateway = gatewayOf(lobby);
      const admitted = await gateway.admitSocket(toRequest(request));
      if (admitted instanceof Response) return admitted;
      return ((await gateway.checkNewRoom(admitted, () => roomExists(lobby, kind))) ?? admitted) as Forwarded;
    }

    static async onBeforeRequest(request: Party.Request, lobby: Party.Lobby): Promise<Forwarded> {
      const gateway = gatewayOf(lobby);
      const plainRequest = toRequest(request);
      const admitted = gateway.answerPreflight(plainRequest) ?? (await gateway.admitCall(plainRequest));
      const rejected =
        admitted instanceof Response
          ? admitted
          : await gateway.checkNewRoom(admitted, () => roomExists(lobby, kind));
      return (rejected ? gateway.withHeaders(rejected, plainRequest) : admitted) as Forwarded;
    }

    /** Whatever is neither a room's address nor a page: the worker's, guests, health. */
    static async onFetch(request: Party.Request, lobby: Party.FetchLobby): Promise<Response> {
      const gateway = gatewayOf(lobby);
      const plainRequest = toRequest(request);
      return gateway.withHeaders(
        gateway.answerPreflight(plainRequest) ?? (await answerOrProxy(plainRequest, gateway, lobby.env)),
        plainRequest,
      );
    }

    constructor(readonly room: Party.Room) {
      const config = Gateway.readConfig(withLocalDefaults(room.env));
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
          effectHandlers: {
            ...openCustomHandlers(effects, room.env),
            ...(createWorkerClient(config) ?? { effectHandlers: standaloneHandlers }).effectHandlers,
            ...createBatchHandlers(config),
          },
          sync: () => room.storage.sync(),
          // PartyKit gives no way to end an object; everybody comes back to a room made anew from storage.
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
      // It goes out from here, past no edge of ours.
      return withHeaders(
        await this.#host.answer(await readForwardedCall(toRequest(request))),
        readForwardedCors(toRequest(request)),
      );
    }

    onAlarm(): Promise<void> {
      return this.#host.alarm();
    }
  };
}

/** What is the worker's is asked of the worker, once the reader has not asked too much. */
async function answerOrProxy(
  request: Request,
  gateway: Gateway,
  env: Readonly<Record<string, unknown>>,
): Promise<Response> {
  if (!isWorkerPath(new URL(request.url).pathname)) return gateway.answer(request);
  const isRead = request.method === "GET" || request.method === "HEAD";
  const rejection = isRead ? await gateway.checkReadLimit(request, "read") : undefined;
  // PartyKit tells no client's address.
  return rejection
    ? rejectionResponse(rejection)
    : proxyToWorker(request, Gateway.readConfig(withLocalDefaults(env)), undefined);
}

/** Without an address or a secret nobody does it: the points wait in their ledger, and the log says so. */
function createBatchHandlers({ scoreboardUrl, batchSecret }: Config): EffectHandlers {
  if (scoreboardUrl === undefined || batchSecret === undefined) return {};
  return { "scores/batch": logAnomalies(createWorkerSink(scoreboardUrl, batchSecret)) };
}

const RECONNECT_REASON = "Please come back.";
const NO_SOCKET = "A WebSocket is opened with GET; any other request has no Upgrade.";
/** Only whether there is a room is asked, which takes milliseconds; without an answer the limit of new rooms is not asked. */
const EXISTS_DEADLINE_MS = 2_000;

/** Each at a time of its own. One that is closing already throws, and keeps nobody else from being told. */
function closeAllWithRetry(all: readonly Party.Connection[]): void {
  const retrySpread = new RetrySpread(Math.random);
  for (const connection of all) {
    try {
      connection.send(formatBye(closeCodes.draining, RECONNECT_REASON, retrySpread.forCrowdMs(all.length)));
      connection.close(closeCodes.draining, RECONNECT_REASON);
    } catch {
      // It is gone, and comes back by itself.
    }
  }
}

/**
 * Nothing is deployed on PartyKit any more: what runs on it is somebody's own machine, where guests are welcome. It tells no
 * client's address, so limits of one are off unless somebody sets them; then everybody is at one address.
 */
function withLocalDefaults(env: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const limits = Object.values(addressRates).map(({ variable }) => [variable, env[variable] || "0"]);
  return { ...env, GUESTS: env.GUESTS || "on", ...Object.fromEntries(limits) };
}

/** Set, and in force nowhere. */
function warnOfUnusedLimits(env: Readonly<Record<string, unknown>>): void {
  const set = Object.values(addressRates).flatMap(({ variable }) =>
    env[variable] && env[variable] !== "0" ? [variable] : [],
  );
  if (set.length === 0) return;
  const names = [...new Set(set)].join(", ");
  console.warn(
    `${names}: not in force, for partykit.json names no party "${IP_LIMITS_PARTY}" (addressParty()).`,
  );
}

/** Only the edge can ask: a room that woke by its alarm knows no parties any more. */
async function roomExists({ id, parties }: Party.Lobby, kind: Kind): Promise<boolean> {
  const asked = parties[kind.name]?.get(id).fetch();
  const answer = await (asked && withDeadline(asked, EXISTS_DEADLINE_MS, "The room gave no answer"));
  return answer?.status === 200;
}

function roomIdOf(url: string): string {
  return new URL(url).pathname.split("/")[3] ?? "";
}

/** PartyKit's types carry a copy of the runtime's of its day; the objects are the runtime's own either way. */
type Forwarded = Party.Request | Response;

function toRequest(request: Party.Request): Request {
  return request as unknown as Request;
}
