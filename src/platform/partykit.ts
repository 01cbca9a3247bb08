import type * as Party from "partykit/server";
import { closeCodes } from "../protocol/codes";
import type { Kind } from "../room/kind";
import { Door } from "./door";
import { readCall } from "./forwarded-call";
import { decodeHello, HELLO_HEADER } from "./hello-header";
import { byeText } from "./refusal";
import { RoomHost } from "./room-host";
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
  const doorOf = (env: Readonly<Record<string, unknown>>) =>
    (door ??= new Door(withDefaults(env), new Set([kind.name])));

  return class PartyRoom implements Party.Server {
    readonly options = { hibernate: true };
    readonly #host: RoomHost;
    #id: string | undefined;

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
      const config = Door.config(withDefaults(room.env));
      this.#host = new RoomHost(
        {
          storage: roomStorage(room.storage),
          settings: config.room,
          named: () => (this.#id === undefined ? undefined : { kind: kind.name, id: this.#id }),
          block: (work) => room.blockConcurrencyWhile(work),
          sockets: () =>
            [...room.getConnections()].map((held) => ({ peer: peerOf(held), note: noteOf(held) })),
          // PartyKit gives no way to end an object; everybody comes back to a room made anew from storage.
          abandon: () => {
            for (const held of room.getConnections()) {
              held.send(byeText(closeCodes.draining, COME_BACK, COME_BACK_MS));
              held.close(closeCodes.draining, COME_BACK);
            }
          },
          isDebugging: config.debugRooms,
        },
        (name) => (name === kind.name ? kind : undefined),
      );
    }

    onConnect(connection: Party.Connection, { request }: Party.ConnectionContext): Promise<void> {
      this.#id = idOf(request.url);
      return this.#host.join(peerOf(connection), decodeHello(request.headers.get(HELLO_HEADER)));
    }

    onMessage(message: unknown, connection: Party.Connection): void | Promise<void> {
      return this.#host.hear(connection, message);
    }

    onClose(connection: Party.Connection): Promise<void> {
      return this.#host.gone(connection);
    }

    onError(connection: Party.Connection): Promise<void> {
      return this.#host.gone(connection);
    }

    async onRequest(request: Party.Request): Promise<Response> {
      this.#id = idOf(request.url);
      return this.#host.answer(await readCall(plain(request)));
    }

    onAlarm(): Promise<void> {
      return this.#host.alarm();
    }
  };
}

const COME_BACK = "Please come back.";
const COME_BACK_MS = 2_000;

/** Nothing is deployed on PartyKit any more: what runs on it is somebody's own machine, where guests are welcome. */
function withDefaults(env: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { ...env, GUESTS: env.GUESTS || "on" };
}

function idOf(url: string): string {
  return new URL(url).pathname.split("/")[3] ?? "";
}

/** PartyKit's types carry a copy of the runtime's of its day; the objects are the runtime's own either way. */
type Onward = Party.Request | Response;

function plain(request: Party.Request): Request {
  return request as unknown as Request;
}
