import PartySocket from "partysocket";
import { type ClientOptions, WebSocket } from "ws";
import { TestClient } from "../support/test-client";
import type { Slices } from "./fold";

export interface JoinOptions {
  room: string;
  kind?: string;
  token?: string;
  name?: string;
  /** `_pk`, the tab; partysocket makes one if absent. */
  tab?: string;
  /** Tells the room where it stopped whenever it reconnects, and sends again what was not answered. */
  resume?: boolean;
  /** Where another client stopped, and its state by then. */
  from?: { epoch: string; since: number; slices?: Slices };
}

export interface RawOptions {
  /** The query string. */
  query?: string;
  path?: string;
  room?: string;
  kind?: string;
  headers?: Record<string, string>;
  options?: ClientOptions;
}

/** Compression would cost processor time on our side of the wire; one test asks for it. */
export class UncompressedWebSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { perMessageDeflate: false });
  }
}

/** On the real partysocket, which reconnects by itself. */
export class PartyClient extends TestClient {
  readonly socket: PartySocket;

  constructor(host: string, options: JoinOptions, bare = false) {
    super(options.resume === true);
    this.seq = options.from?.since ?? 0;
    this.slices = options.from?.slices ?? {};
    const query = () => ({
      token: options.token,
      name: options.name,
      ...this.toResumeQuery(options),
    });
    this.socket = new PartySocket({
      host,
      room: options.room,
      WebSocket: UncompressedWebSocket,
      // A bare one is `new PartySocket({ host, room })` and nothing else: its waits, its address, its `_pk`.
      ...(bare
        ? {}
        : {
            query,
            minReconnectionDelay: 100,
            maxReconnectionDelay: 400,
            minUptime: 100,
            connectionTimeout: 10_000,
          }),
      ...(options.kind === undefined ? {} : { party: options.kind }),
      ...(options.tab === undefined ? {} : { id: options.tab }),
    });
    this.transport = {
      send: (data) => void this.socket.send(data as string),
      close: () => this.socket.close(),
    };
    this.socket.addEventListener("open", () => this.onOpen());
    this.socket.addEventListener("message", (event) => this.onData(event.data));
    this.socket.addEventListener("close", (event) => this.onClose(event.code, event.reason));
  }

  private toResumeQuery(options: JoinOptions): { v: string; epoch?: string; since?: string } {
    if (options.resume && this.epoch !== undefined) {
      return { v: "1", epoch: this.epoch, since: String(this.seq) };
    }
    return options.from && this.welcomes.length === 0
      ? { v: "1", epoch: options.from.epoch, since: String(options.from.since) }
      : { v: "1" };
  }
}

/** On a plain socket that connects once: for what partysocket would never send, and for seeing how one is closed. */
export class RawClient extends TestClient {
  readonly socket: WebSocket;
  /** The HTTP status, if the handshake was refused. */
  status: number | undefined;
  body = "";

  constructor(host: string, raw: RawOptions) {
    super(false);
    const path = raw.path ?? `/parties/${raw.kind ?? "main"}/${raw.room}`;
    this.socket = new WebSocket(`ws://${host}${path}${raw.query ? `?${raw.query}` : ""}`, {
      perMessageDeflate: false,
      headers: raw.headers ?? {},
      ...raw.options,
    });
    this.transport = { send: (data) => this.socket.send(data), close: () => this.socket.close() };
    this.socket.on("open", () => this.onOpen());
    this.socket.on("message", (data, isBinary) => this.onData(isBinary ? data : data.toString()));
    this.socket.on("close", (code, reason) => this.onClose(code, reason.toString()));
    this.socket.on("error", () => undefined);
    this.socket.on("unexpected-response", (_request, response) => {
      this.status = response.statusCode;
      response.on("data", (chunk) => {
        this.body += String(chunk);
      });
      response.on("end", () => this.onClose(1006, `HTTP ${this.status}`));
    });
  }

  /** Resolves as soon as a message can be sent, welcome or not. */
  async waitForOpen(): Promise<this> {
    await this.waitFor(
      () => this.socket.readyState === WebSocket.OPEN || this.closes.length > 0,
      "an open socket",
    );
    return this;
  }
}
