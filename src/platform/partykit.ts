import type * as Party from "partykit/server";
import { closeCodes } from "../protocol/codes";
import type { Kind } from "../room/kind";
import { Door } from "./door";
import { readCall } from "./forwarded-call";
import { decodeHello, HELLO_HEADER } from "./hello-header";
import { RoomHost } from "./room-host";
import { answerCall } from "./room-http";
import { noteOf, peerOf } from "./room-socket-peer";
import { roomStorage } from "./room-storage";

/**
 * A kind of room as a party. True of PartyKit alone:
 * - `room.id` throws once an object has woken by its alarm, for the rest of that life: the name is read from the address
 *   of the request, or from storage.
 * - It does not hold other requests back while a room loads: `RoomHost` blocks them.
 * - It hides the runtime's automatic answers, so a ping wakes the room.
 */
export function partyOf(kind: Kind): Party.Worker {
  let door: Door | undefined;
  const doorOf = (env: Readonly<Record<string, unknown>>) => (door ??= new Door(env, new Set([kind.name])));

  return class PartyRoom implements Party.Server {
    readonly options = { hibernate: true };
    readonly #host: RoomHost;

    static onBeforeConnect(request: Party.Request, lobby: Party.Lobby): Promise<Onward> {
      return doorOf(lobby.env).socket(plain(request)) as Promise<Onward>;
    }

    static onBeforeRequest(request: Party.Request, lobby: Party.Lobby): Promise<Onward> {
      return doorOf(lobby.env).call(plain(request)) as Promise<Onward>;
    }

    /** Whatever is neither a room's address nor a page. */
    static onFetch(request: Party.Request, lobby: Party.FetchLobby): Promise<Response> {
      return doorOf(lobby.env).other(plain(request));
    }

    constructor(readonly room: Party.Room) {
      const config = Door.config(room.env);
      this.#host = new RoomHost(
        {
          storage: roomStorage(room.storage),
          settings: config.room,
          block: (work) => room.blockConcurrencyWhile(work),
          sockets: () =>
            [...room.getConnections()].map((held) => ({ peer: peerOf(held), note: noteOf(held) })),
          // PartyKit gives no way to end an object; everybody comes back to a room made anew from storage.
          abandon: () => {
            for (const held of room.getConnections()) held.close(closeCodes.draining, "Please come back.");
          },
          isDebugging: config.debugRooms,
        },
        (name) => (name === kind.name ? kind : undefined),
      );
    }

    async onConnect(connection: Party.Connection, { request }: Party.ConnectionContext): Promise<void> {
      const room = await this.#host.open(named(kind, request.url));
      const hello = decodeHello(request.headers.get(HELLO_HEADER));
      if (room && hello) this.#host.join(room, peerOf(connection), hello);
      else connection.close(1011, "Not by way of the edge.");
    }

    onMessage(message: unknown, connection: Party.Connection): void | Promise<void> {
      const room = this.#host.live;
      if (room) return this.#host.receive(room, connection.id, message);
      return this.#host.open().then((opened) => opened && this.#host.receive(opened, connection.id, message));
    }

    onClose(connection: Party.Connection): void | Promise<void> {
      const room = this.#host.live;
      if (room) return this.#host.left(room, connection.id, noteOf(connection));
      return this.#host
        .open()
        .then((opened) => opened && this.#host.left(opened, connection.id, noteOf(connection)));
    }

    onError(connection: Party.Connection): void | Promise<void> {
      return this.onClose(connection);
    }

    async onRequest(request: Party.Request): Promise<Response> {
      const call = await readCall(plain(request));
      return answerCall(await this.#host.open(named(kind, request.url)), call, Date.now());
    }

    async onAlarm(): Promise<void> {
      await this.#host.alarm();
    }
  };
}

function named(kind: Kind, url: string): { kind: string; id: string } {
  return { kind: kind.name, id: new URL(url).pathname.split("/")[3] ?? "" };
}

/** PartyKit's types carry a copy of the runtime's of its day; the objects are the runtime's own either way. */
type Onward = Party.Request | Response;

function plain(request: Party.Request): Request {
  return request as unknown as Request;
}
