import type * as Party from "partykit/server";
import { closeCodes } from "../protocol/codes";
import { addressRates } from "../protocol/rates";
import { ComeBack } from "../room/come-back";
import type { Kind } from "../room/kind";
import { ADDRESS_PARTY, askAddressOf } from "./addresses/partykit-address";
import { aloneErrands, workerOf } from "./calls/call-worker";
import { isWorkers, passOn } from "./calls/pass-on";
import type { Config } from "./config";
import { dress } from "./edge/answer-headers";
import { Door } from "./edge/door";
import { readCall, readReader } from "./edge/forwarded-call";
import { decodeHello, HELLO_HEADER } from "./edge/hello-header";
import { refusalResponse } from "./edge/http-refusal";
import { byeText } from "./edge/refusal";
import { type ErrandHandlers, type OwnErrands, ownHandlers } from "./errands";
import { withAlert } from "./points/batch-errand";
import { scoreboardSink } from "./points/scoreboard-sink";
import { RoomHost } from "./room-host";
import { noteOf, SocketPeer } from "./room-socket-peer";
import { roomStorage } from "./room-storage";
import { within } from "./within";

/** How long the edge waits for a room to say whether it exists; after that the request goes on to it. */
const ASK_MS = 2_000;

/**
 * A kind of room as a party. True of PartyKit alone:
 * - `room.id` throws once an object has woken by its alarm, for the rest of that life: the name is read from the address
 *   of the request, or from storage.
 * - It does not hold other requests back while a room loads: `RoomHost` blocks them.
 * - It hides the runtime's automatic answers, so a ping wakes the room.
 */
export function partyOf(
  kind: Kind,
  { errands }: { errands?: OwnErrands<Party.Room["env"]> } = {},
): Party.Worker {
  let door: Door | undefined;
  const doorOf = ({ env, parties }: Pick<Party.Lobby, "env" | "parties">) => {
    if (door) return door;
    const full = withDefaults(env);
    const askAddress = askAddressOf(parties);
    if (!askAddress) warnOfLimits(env);
    const askBans = workerOf(Door.config(full))?.askBans;
    door = new Door(full, {
      kinds: new Set([kind.name]),
      addressOf: () => undefined,
      askAddress,
      askBans,
    });
    return door;
  };

  return class PartyRoom implements Party.Server {
    readonly options = { hibernate: true };
    readonly #host: RoomHost;
    #id: string | undefined;

    static async onBeforeConnect(request: Party.Request, lobby: Party.Lobby): Promise<Onward> {
      const door = doorOf(lobby);
      const judged = await door.socket(plain(request));
      if (judged instanceof Response) return judged;
      return ((await door.begins(judged, () => exists(lobby, kind))) ?? judged) as Onward;
    }

    static async onBeforeRequest(request: Party.Request, lobby: Party.Lobby): Promise<Onward> {
      const door = doorOf(lobby);
      const asked = plain(request);
      const judged = door.preflight(asked) ?? (await door.call(asked));
      const refused =
        judged instanceof Response ? judged : await door.begins(judged, () => exists(lobby, kind));
      return (refused ? door.dress(refused, asked) : judged) as Onward;
    }

    /** Whatever is neither a room's address nor a page: the worker's, guests, health. */
    static async onFetch(request: Party.Request, lobby: Party.FetchLobby): Promise<Response> {
      const door = doorOf(lobby);
      const asked = plain(request);
      return door.dress(door.preflight(asked) ?? (await answerElse(asked, door, lobby.env)), asked);
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
            [...room.getConnections()].map((held) => ({ peer: new SocketPeer(held), note: noteOf(held) })),
          errands: {
            ...ownHandlers(errands, room.env),
            ...(workerOf(config) ?? { errands: aloneErrands }).errands,
            ...sinksOf(config),
          },
          sync: () => room.storage.sync(),
          // PartyKit gives no way to end an object; everybody comes back to a room made anew from storage.
          abandon: () => sendAway([...room.getConnections()]),
          isDebugging: config.debugRooms,
        },
        (name) => (name === kind.name ? kind : undefined),
      );
    }

    onConnect(connection: Party.Connection, { request }: Party.ConnectionContext): Promise<void> {
      this.#id = idOf(request.url);
      return this.#host.join(new SocketPeer(connection), decodeHello(request.headers.get(HELLO_HEADER)));
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
      // It goes out from here, past no edge of ours.
      return dress(await this.#host.answer(await readCall(plain(request))), readReader(plain(request)));
    }

    onAlarm(): Promise<void> {
      return this.#host.alarm();
    }
  };
}

/** What is the worker's is asked of the worker, once the reader has not asked too much. */
async function answerElse(
  asked: Request,
  door: Door,
  env: Readonly<Record<string, unknown>>,
): Promise<Response> {
  if (!isWorkers(new URL(asked.url).pathname)) return door.other(asked);
  const isRead = asked.method === "GET" || asked.method === "HEAD";
  const denial = isRead ? await door.mayRead(asked, "read") : undefined;
  // PartyKit tells no client's address.
  return denial ? refusalResponse(denial) : passOn(asked, Door.config(withDefaults(env)), undefined);
}

/** Without an address or a secret nobody does it: the points wait in their ledger, and the log says so. */
function sinksOf({ scoreboardUrl, batchSecret }: Config): ErrandHandlers {
  if (scoreboardUrl === undefined || batchSecret === undefined) return {};
  return { "scores/batch": withAlert(scoreboardSink(scoreboardUrl, batchSecret)) };
}

const COME_BACK = "Please come back.";

/** Each at a time of its own. One that is closing already throws, and keeps nobody else from being told. */
function sendAway(all: readonly Party.Connection[]): void {
  const comeBack = new ComeBack(Math.random);
  for (const held of all) {
    try {
      held.send(byeText(closeCodes.draining, COME_BACK, comeBack.ofCrowd(all.length)));
      held.close(closeCodes.draining, COME_BACK);
    } catch {
      // It is gone, and comes back by itself.
    }
  }
}

/**
 * Nothing is deployed on PartyKit any more: what runs on it is somebody's own machine, where guests are welcome. It tells no
 * client's address, so limits of one are off unless somebody sets them; then everybody is at one address.
 */
function withDefaults(env: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const limits = Object.values(addressRates).map(({ variable }) => [variable, env[variable] || "0"]);
  return { ...env, GUESTS: env.GUESTS || "on", ...Object.fromEntries(limits) };
}

/** Set, and in force nowhere. */
function warnOfLimits(env: Readonly<Record<string, unknown>>): void {
  const set = Object.values(addressRates).flatMap(({ variable }) =>
    env[variable] && env[variable] !== "0" ? [variable] : [],
  );
  if (set.length === 0) return;
  const names = [...new Set(set)].join(", ");
  console.warn(
    `${names}: not in force, for partykit.json names no party "${ADDRESS_PARTY}" (addressParty()).`,
  );
}

/** Only the edge can ask: a room that woke by its alarm knows no parties any more. */
async function exists({ id, parties }: Party.Lobby, kind: Kind): Promise<boolean> {
  const asked = parties[kind.name]?.get(id).fetch();
  const answer = asked && (await within(asked, ASK_MS, "The room did not answer"));
  return answer?.status === 200;
}

function idOf(url: string): string {
  return new URL(url).pathname.split("/")[3] ?? "";
}

/** PartyKit's types carry a copy of the runtime's of its day; the objects are the runtime's own either way. */
type Onward = Party.Request | Response;

function plain(request: Party.Request): Request {
  return request as unknown as Request;
}
