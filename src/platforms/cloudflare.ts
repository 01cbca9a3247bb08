import { type Connection, type ConnectionContext, Server } from "partyserver";
import { rejectSocketWith, toHttpRejection } from "../edge/edge-rejection";
import { readForwardedCall } from "../edge/forwarded-call";
import { Gateway } from "../edge/gateway";
import { decodeTicket, TICKET_HEADER } from "../edge/handshake";
import { rejectionResponse } from "../edge/http/http-rejection";
import { createGuestBlocker } from "../edge/ip-limits/block-guests";
import { createIpLimitsCall, type IpLimitsObject } from "../edge/ip-limits/cloudflare-ip";
import { IpLimiter } from "../edge/ip-limits/ip-limiter";
import { checkNewRoom } from "../edge/new-room";
import { standaloneHandlers } from "../edge/signed-calls/worker-client";
import type { Kind } from "../room/api/kind";
import { HEAD } from "../room/storage/journal";
import type { BanService, UsersNamespace } from "../services/bans/ban-service";
import { openBanService } from "../services/bans/open-ban-service";
import { boardCaches } from "../services/boards/cache/caches";
import { logAnomalies } from "../services/boards/ingest/batch-effect";
import { createDatabaseSink } from "../services/boards/ingest/database-sink";
import type { LiveBoardObject } from "../services/boards/live/object";
import { createBoardRegistry } from "../services/boards/store/board-registry";
import { AFTER_FAILURE_MS, RoomHost } from "./room-host";
import { roomNotFound } from "./room-http";
import { type CustomEffects, type EffectHandlers, openCustomHandlers } from "./run-effect";
import { readNote, SocketPeer } from "./socket-peer";
import { toRoomStorage } from "./storage";

export interface CloudflareEnv {
  ROOMS: DurableObjectNamespace;
  ADDRESSES?: DurableObjectNamespace<IpLimitsObject>;
  DB: D1Database;
  BOARDS?: DurableObjectNamespace<LiveBoardObject>;
  USERS?: UsersNamespace;
  [variable: string]: unknown;
}

function createBanHandlers(bans: BanService): EffectHandlers {
  return {
    "moderation/places": (room, request) => bans.recordPresence("cloudflare", room, request),
    "moderation/bans": (room, request) => bans.applyWrites(room, request),
  };
}

export type RoomsClass = new (ctx: DurableObjectState, env: CloudflareEnv) => DurableObject;

/** One Durable Object class for every kind: an object's name is `kind/room`, so that a new kind is one line and no binding. */
export function createRoomsClass(
  kinds: ReadonlyMap<string, Kind>,
  customEffects?: CustomEffects<CloudflareEnv>,
): RoomsClass {
  const registry = createBoardRegistry([...kinds.values()]);
  return class Rooms extends Server<CloudflareEnv> {
    static override options = { hibernate: true };
    readonly #host: RoomHost;
    readonly #ipLimiter: IpLimiter;
    readonly #peers = new WeakMap<WebSocket, SocketPeer>();

    constructor(ctx: DurableObjectState, env: CloudflareEnv) {
      super(ctx, env);
      // Answered by the runtime, without waking anybody.
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
      const config = Gateway.readConfig(env);
      boardCaches.platformCache.configure(config);
      const callIpLimits = createIpLimitsCall(env.ADDRESSES);
      const bans = openBanService(env, createGuestBlocker(config.limits.guest, callIpLimits));
      this.#ipLimiter = new IpLimiter(config, callIpLimits, undefined);
      this.#host = new RoomHost(
        {
          storage: toRoomStorage(ctx.storage),
          settings: config.room,
          roomName: () => this.#nameOf(),
          blockWhile: (work) => ctx.blockConcurrencyWhile(work),
          sockets: () =>
            [...this.getConnections()].map((connection) => ({
              peer: this.#peer(connection),
              note: readNote(connection),
            })),
          effectHandlers: {
            ...openCustomHandlers(customEffects, env),
            ...(bans ? createBanHandlers(bans) : standaloneHandlers),
            "scores/batch": logAnomalies(createDatabaseSink(env.DB, registry)),
          },
          sync: () => ctx.storage.sync(),
          abandon: () => ctx.abort("The room is made anew from storage."),
          isDebugging: config.debugRooms,
        },
        (kind) => kinds.get(kind),
      );
    }

    /** partyserver writes a record of its own on any touch; a room that does not exist is not made by that. */
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

    /** Blocked, for whoever opens the room meanwhile must not lose what they did. */
    async #clearUnopened(): Promise<void> {
      if (!(await this.#isStored())) await this.ctx.storage.deleteAll();
    }

    async #isStored(): Promise<boolean> {
      return (await this.ctx.storage.get(HEAD)) !== undefined;
    }

    override onConnect(connection: Connection, { request }: ConnectionContext): Promise<void> {
      return this.#host.join(this.#peer(connection), decodeTicket(request.headers.get(TICKET_HEADER)));
    }

    /** partyserver reads the socket's attachment for each message, and waits; of a socket that a live room has met, nothing is to be found out. */
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

    /** partyserver reads storage before it hands the alarm on: where that fails, again and again, the platform would let it go. */
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

    #nameOf(): { kind: string; id: string } {
      const [kind = "", id = ""] = this.name.split("/");
      return { kind, id };
    }
  };
}

/** partyserver says that it always gives a promise; the runtime is glad of none, for then it does not wait. */
const NO_PROMISE = undefined as unknown as Promise<void>;
