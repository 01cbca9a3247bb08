import { type Connection, type ConnectionContext, Server } from "partyserver";
import { configOf, type Environment } from "../config/config";
import { rejectSocketWith, toHttpRejection } from "../edge/edge-rejection";
import { readForwardedCall } from "../edge/forwarded-call";
import { decodeTicket, TICKET_HEADER } from "../edge/handshake";
import { rejectionResponse } from "../edge/http/http-rejection";
import { createIpLimitsCall, type IpLimitsNamespace } from "../edge/ip-limits/cloudflare-ip";
import { IpLimiter } from "../edge/ip-limits/ip-limiter";
import { checkNewRoom } from "../edge/new-room";
import { parseRoomRef } from "../lib/room-ref";
import type { Kind } from "../room/api/kind";
import { HEAD } from "../room/storage/journal";
import { AFTER_FAILURE_MS, RoomHost, type RoomWiring } from "./room-host";
import { roomNotFound } from "./room-http";
import { readNote, SocketPeer } from "./socket-peer";
import { toRoomStorage } from "./storage";

/** The bindings that rooms use themselves. Without `ADDRESSES` the limits of addresses are off. */
export type RoomsEnv = Environment & {
  ROOMS: DurableObjectNamespace;
  ADDRESSES?: IpLimitsNamespace;
};

export type RoomsClass<Env extends RoomsEnv> = new (ctx: DurableObjectState, env: Env) => DurableObject;

/** One Durable Object class for every kind: an object is named `kind/room`, so a new kind needs no binding. */
export function createRoomsClass<Env extends RoomsEnv>(
  kinds: ReadonlyMap<string, Kind>,
  wire: (env: Env) => RoomWiring,
): RoomsClass<Env> {
  return class Rooms extends Server<Env> {
    static override options = { hibernate: true };
    readonly #host: RoomHost;
    readonly #ipLimiter: IpLimiter;
    readonly #peers = new WeakMap<WebSocket, SocketPeer>();

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      // The runtime answers pings, and so they wake no object.
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
      const config = configOf(env);
      this.#ipLimiter = new IpLimiter(config, createIpLimitsCall(env.ADDRESSES), undefined);
      this.#host = new RoomHost(
        {
          storage: toRoomStorage(ctx.storage),
          settings: config.room,
          roomName: () => parseRoomRef(this.name),
          blockWhile: (work) => ctx.blockConcurrencyWhile(work),
          sockets: () =>
            [...this.getConnections()].map((connection) => ({
              peer: this.#peer(connection),
              note: readNote(connection),
            })),
          ...wire(env),
          sync: () => ctx.storage.sync(),
          abandon: () => ctx.abort("The room restarts from storage."),
          isDebugging: config.debugRooms,
        },
        (kind) => kinds.get(kind),
      );
    }

    /** partyserver writes a record on any request. A room that does not exist must not come to exist by that. */
    override async fetch(request: Request): Promise<Response> {
      const isSocket = request.headers.has("Upgrade");
      const exists = this.#host.isLive || (await this.#isStored());
      if (!exists && !isSocket && request.method !== "POST") return roomNotFound();
      const rejection = exists ? undefined : await checkNewRoom(request, this.#ipLimiter);
      if (rejection)
        return isSocket ? rejectSocketWith(rejection) : rejectionResponse(toHttpRejection(rejection));
      const response = await super.fetch(request);
      if (!exists && !isSocket) await this.ctx.blockConcurrencyWhile(() => this.#clearUnopened());
      return response;
    }

    /** Runs in a block, so that a client who opens the room meanwhile loses nothing. */
    async #clearUnopened(): Promise<void> {
      if (!(await this.#isStored())) await this.ctx.storage.deleteAll();
    }

    async #isStored(): Promise<boolean> {
      return (await this.ctx.storage.get(HEAD)) !== undefined;
    }

    override onConnect(connection: Connection, { request }: ConnectionContext): Promise<void> {
      return this.#host.join(this.#peer(connection), decodeTicket(request.headers.get(TICKET_HEADER)));
    }

    /** partyserver awaits the socket's attachment for each message. For a socket that the room in memory knows, that is not needed. */
    override webSocketMessage(socket: WebSocket, message: ArrayBuffer | string): Promise<void> {
      const peer = this.#host.isLive ? this.#peers.get(socket) : undefined;
      if (!peer) return super.webSocketMessage(socket, message);
      return this.#host.receive(peer, message) ?? NO_PROMISE;
    }

    override onMessage(connection: Connection, message: unknown): void | Promise<void> {
      return this.#host.receive(this.#peer(connection), message);
    }

    override onClose(connection: Connection): Promise<void> {
      return this.#host.disconnected(connection);
    }

    override onError(connection: Connection): Promise<void> {
      return this.#host.disconnected(connection);
    }

    override async onRequest(request: Request): Promise<Response> {
      return this.#host.answer(await readForwardedCall(request));
    }

    override onAlarm(): Promise<void> {
      return this.#host.alarm();
    }

    /** partyserver reads storage before it calls `onAlarm`. If that keeps failing, the platform gives the alarm up. */
    override async alarm(): Promise<void> {
      try {
        await super.alarm();
      } catch (error) {
        console.error("An alarm failed:", error);
        await this.ctx.storage.setAlarm(Date.now() + AFTER_FAILURE_MS);
      }
    }

    #peer(connection: Connection): SocketPeer {
      const known = this.#peers.get(connection);
      if (known) return known;
      const pongedAt = () => this.ctx.getWebSocketAutoResponseTimestamp(connection)?.getTime();
      const peer = new SocketPeer(connection, pongedAt);
      this.#peers.set(connection, peer);
      return peer;
    }
  };
}

/** partyserver's type demands a promise. With none, the runtime does not wait. */
const NO_PROMISE = undefined as unknown as Promise<void>;
