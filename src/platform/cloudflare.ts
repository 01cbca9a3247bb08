import { type Connection, type ConnectionContext, Server } from "partyserver";
import { openBoardBook } from "../boards/board-book";
import { HEAD } from "../room/journal";
import type { Kind } from "../room/kind";
import { AddressDesk } from "./addresses/address-desk";
import { type Addresses, askAddressOf } from "./addresses/cloudflare-address";
import type { BoardObject } from "./answers/board-object";
import { boardAnswers } from "./answers/held-answers";
import type { BanKeeper, UserObjects } from "./bans/ban-keeper";
import { keeperOf } from "./bans/banned-address";
import { aloneErrands } from "./calls/call-worker";
import { asHttpRefusal } from "./edge/denial";
import { Door } from "./edge/door";
import { readCall } from "./edge/forwarded-call";
import { decodeHello, HELLO_HEADER } from "./edge/hello-header";
import { refusalResponse } from "./edge/http-refusal";
import { mayBegin } from "./edge/new-room";
import { refuseSocketFor } from "./edge/refusal";
import { type ErrandHandlers, type OwnErrands, ownHandlers } from "./errands";
import { withAlert } from "./points/batch-errand";
import { databaseSink } from "./points/database-sink";
import { AFTER_FAILURE_MS, RoomHost } from "./room-host";
import { noSuchRoom } from "./room-http";
import { noteOf, SocketPeer } from "./room-socket-peer";
import { roomStorage } from "./room-storage";

export interface CloudflareEnv {
  ROOMS: DurableObjectNamespace;
  ADDRESSES?: DurableObjectNamespace<Addresses>;
  DB: D1Database;
  BOARDS?: DurableObjectNamespace<BoardObject>;
  USERS?: UserObjects;
  [variable: string]: unknown;
}

function errandsOf(bans: BanKeeper): ErrandHandlers {
  return {
    "moderation/places": (room, ask) => bans.places("cloudflare", room, ask),
    "moderation/bans": (room, ask) => bans.writes(room, ask),
  };
}

export type RoomsClass = new (ctx: DurableObjectState, env: CloudflareEnv) => DurableObject;

/** One Durable Object class for every kind: an object's name is `kind/room`, so that a new kind is one line and no binding. */
export function roomsOf(
  kinds: ReadonlyMap<string, Kind>,
  ownErrands?: OwnErrands<CloudflareEnv>,
): RoomsClass {
  const book = openBoardBook([...kinds.values()]);
  return class Rooms extends Server<CloudflareEnv> {
    static override options = { hibernate: true };
    readonly #host: RoomHost;
    readonly #desk: AddressDesk;
    readonly #met = new WeakMap<WebSocket, SocketPeer>();

    constructor(ctx: DurableObjectState, env: CloudflareEnv) {
      super(ctx, env);
      // Answered by the runtime, without waking anybody.
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
      const config = Door.config(env);
      boardAnswers.shared.enter(config);
      const bans = keeperOf(env);
      this.#desk = new AddressDesk(config, askAddressOf(env.ADDRESSES), undefined);
      this.#host = new RoomHost(
        {
          storage: roomStorage(ctx.storage),
          settings: config.room,
          named: () => this.#named(),
          block: (work) => ctx.blockConcurrencyWhile(work),
          sockets: () =>
            [...this.getConnections()].map((held) => ({ peer: this.#peer(held), note: noteOf(held) })),
          errands: {
            ...ownHandlers(ownErrands, env),
            ...(bans ? errandsOf(bans) : aloneErrands),
            "scores/batch": withAlert(databaseSink(env.DB, book)),
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
      if (!exists && !isSocket && request.method !== "POST") return noSuchRoom();
      const denial = exists ? undefined : await mayBegin(request, this.#desk);
      if (denial) return isSocket ? refuseSocketFor(denial) : refusalResponse(asHttpRefusal(denial));
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
      return this.#host.join(this.#peer(connection), decodeHello(request.headers.get(HELLO_HEADER)));
    }

    /** partyserver reads the socket's attachment for each message, and waits; of a socket that a live room has met, nothing is to be found out. */
    override webSocketMessage(socket: WebSocket, message: ArrayBuffer | string): Promise<void> {
      const peer = this.#host.isLive ? this.#met.get(socket) : undefined;
      if (!peer) return super.webSocketMessage(socket, message);
      return this.#host.hear(peer, message) ?? nothingToWaitFor;
    }

    override onMessage(connection: Connection, message: unknown): void | Promise<void> {
      return this.#host.hear(this.#peer(connection), message);
    }

    override onClose(connection: Connection): Promise<void> {
      return this.#host.gone(connection);
    }

    override onError(connection: Connection): Promise<void> {
      return this.#host.gone(connection);
    }

    override async onRequest(request: Request): Promise<Response> {
      return this.#host.answer(await readCall(request));
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
      const met = this.#met.get(connection);
      if (met) return met;
      const pongedAt = () => this.ctx.getWebSocketAutoResponseTimestamp(connection)?.getTime();
      const peer = new SocketPeer(connection, pongedAt);
      this.#met.set(connection, peer);
      return peer;
    }

    #named(): { kind: string; id: string } {
      const [kind = "", id = ""] = this.name.split("/");
      return { kind, id };
    }
  };
}

/** partyserver says that it always gives a promise; the runtime is glad of none, for then it does not wait. */
const nothingToWaitFor = undefined as unknown as Promise<void>;
