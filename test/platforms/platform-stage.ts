import { expect } from "vitest";
import type { Platform } from "../support/platforms";
import type { Server } from "../support/servers";
import type { TestClient } from "../support/test-client";
import { type JoinOptions, PartyClient, RawClient, type RawOptions } from "./sockets";
import { AUTH_SECRET, type Claims, mintToken, type Signing } from "./tokens";
import type { Json } from "./wire";

/** Every limit off and every restore logged: a test of a limit sets it. */
export const OPEN_ENV: Record<string, string> = {
  AUTH_SECRET,
  GUESTS: "on",
  DEBUG_ROOMS: "on",
  CHAT_LIMIT: "0",
  ACTION_LIMIT: "0",
  CONNECT_LIMIT: "0",
  NEW_ROOM_LIMIT: "0",
  GUEST_LIMIT: "0",
  FAILED_TOKEN_LIMIT: "0",
  READ_LIMIT: "0",
};

/** Undefined: not set at all, also where the tests set it otherwise. */
export type Env = Record<string, string | undefined>;

let rooms = 0;

export interface HttpAnswer {
  status: number;
  body: { [key: string]: Json };
  text: string;
}

/** A running platform and its clients. */
export class PlatformStage {
  readonly platform: Platform;
  /** Every token that was ever used on this stage: none of them may be found anywhere afterwards. */
  readonly tokens = new Set<string>();
  private running: Server | undefined;
  private earlierLogs = "";
  private clients: TestClient[] = [];

  constructor(platform: Platform) {
    this.platform = platform;
  }

  get server(): Server {
    if (!this.running) {
      throw new Error("the server is not running");
    }
    return this.running;
  }

  /** `port`: where it has to be, because other servers know it. */
  async start(env: Env, port?: number): Promise<void> {
    const set = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined);
    this.running = await this.platform.start(Object.fromEntries(set), port);
  }

  async stop(): Promise<void> {
    this.closeClients();
    await this.running?.stop();
  }

  /** The whole server at once, as a power cut would. */
  async kill(): Promise<void> {
    await this.server.kill9();
  }

  /** A restart on the same port and state. */
  async restart(other: { env?: Record<string, string>; main?: string } = {}): Promise<void> {
    this.earlierLogs += this.server.log();
    this.running = await this.server.restart(other);
  }

  /** Everything that the server has printed over all starts. */
  get log(): string {
    return this.earlierLogs + this.server.log();
  }

  /** A room that was never opened. */
  makeRoomName(about = "room"): string {
    rooms += 1;
    return `${about}-${process.pid}-${rooms}`;
  }

  async mintToken(claims: Claims, signing?: Signing): Promise<string> {
    const token = await mintToken(claims, signing);
    this.tokens.add(token);
    return token;
  }

  /** A member by token, in the room as soon as this resolves. */
  async joinAsMember(
    room: string,
    user: string,
    options: Partial<JoinOptions> & { claims?: Claims } = {},
  ): Promise<PartyClient> {
    const { claims, ...rest } = options;
    const token = rest.token ?? (await this.mintToken({ sub: user, name: user, ...claims }));
    const client = this.join({ room, token, ...rest });
    await client.waitForWelcome();
    return client;
  }

  /** A member who leads this room. */
  joinAsHost(room: string, user = "hana", options: Partial<JoinOptions> = {}): Promise<PartyClient> {
    return this.joinAsMember(room, user, { claims: { role: "host", rooms: [`main/${room}`] }, ...options });
  }

  async joinAsGuest(room: string, options: Partial<JoinOptions> = {}): Promise<PartyClient> {
    const client = this.join({ room, ...options });
    await client.waitForWelcome();
    return client;
  }

  join(options: JoinOptions): PartyClient {
    return this.track(new PartyClient(this.server.host, options));
  }

  /** `new PartySocket({ host, room })` and nothing else. */
  joinBare(room: string): PartyClient {
    return this.track(new PartyClient(this.server.host, { room }, true));
  }

  openRaw(options: RawOptions): RawClient {
    return this.track(new RawClient(this.server.host, options));
  }

  /** Everything that happened in a room from event `since` on, as a client that resumes there receives it. */
  async readHistory(room: string, epoch: string, token: string, since = 0): Promise<RawClient> {
    const client = this.openRaw({
      room,
      query: `_pk=historian-of-the-room&v=1&token=${token}&epoch=${epoch}&since=${since}`,
    });
    client.seq = since;
    const welcome = await client.waitForWelcome();
    expect(welcome.resumed, "the room's whole history is there").toBe(true);
    await client.waitForSeq(welcome.seq);
    return client;
  }

  async getRoom(room: string, init: RequestInit = {}): Promise<HttpAnswer> {
    return this.fetch(`/parties/main/${room}`, init);
  }

  async postAction(
    room: string,
    body: unknown,
    token?: string,
    headers: Record<string, string> = {},
  ): Promise<HttpAnswer> {
    return this.fetch(`/parties/main/${room}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  async fetch(path: string, init: RequestInit = {}): Promise<HttpAnswer> {
    const response = await fetch(`${this.server.http}${path}`, init);
    const text = await response.text();
    let body: HttpAnswer["body"] = {};
    try {
      body = JSON.parse(text) as HttpAnswer["body"];
    } catch {
      // Not every refusal is ours: a test that expects JSON finds none in `body`.
    }
    return { status: response.status, body, text };
  }

  /** How often a room was restored, as the server logs with DEBUG_ROOMS. */
  countRestores(room: string, kind = "main"): number {
    const line = new RegExp(`restored ${kind}/${room.replaceAll(".", "\\.")}(?![\\w.-])`, "g");
    return this.log.match(line)?.length ?? 0;
  }

  /** All clients leave; a breach that any of them noted fails the test. */
  closeClients(): string[] {
    const clients = this.clients;
    this.clients = [];
    for (const client of clients) {
      client.close();
      for (const { you } of client.welcomes) {
        if (you.token !== undefined) {
          this.tokens.add(you.token);
        }
      }
    }
    return clients.flatMap((client) => client.violations);
  }

  private track<T extends TestClient>(client: T): T {
    this.clients.push(client);
    return client;
  }
}
