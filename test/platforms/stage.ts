import { expect } from "vitest";
import type { Client } from "../support/client";
import type { Platform } from "../support/platforms";
import type { Server } from "../support/servers";
import { type JoinOptions, PartyClient, RawClient, type RawOptions } from "./sockets";
import { AUTH_SECRET, type Claims, mint, type Signing } from "./tokens";
import type { Json } from "./wire";

/** Every limit off and every restore told: a story that is about a limit sets it. */
export const OPEN: Record<string, string> = {
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

/** Undefined: not set at all, also where the stories set it otherwise. */
export type Env = Record<string, string | undefined>;

let rooms = 0;

export interface Answer {
  status: number;
  body: { [key: string]: Json };
  text: string;
}

/** A running platform, and those who are on it. */
export class Stage {
  readonly platform: Platform;
  /** Every token that was ever used on this stage: none of them may be found anywhere afterwards. */
  readonly tokens = new Set<string>();
  private running: Server | undefined;
  private earlierLives = "";
  private clients: Client[] = [];

  constructor(platform: Platform) {
    this.platform = platform;
  }

  get server(): Server {
    if (!this.running) {
      throw new Error("the server is not running");
    }
    return this.running;
  }

  /** `port`: where it has to be, because others were told. */
  async start(env: Env, port?: number): Promise<void> {
    const set = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined);
    this.running = await this.platform.start(Object.fromEntries(set), port);
  }

  async stop(): Promise<void> {
    this.dismiss();
    await this.running?.stop();
  }

  /** The whole server at once, as a power cut would. */
  async kill(): Promise<void> {
    await this.server.kill9();
  }

  /** Another life on the same port and state. */
  async restart(other: { env?: Record<string, string>; main?: string } = {}): Promise<void> {
    this.earlierLives += this.server.log();
    this.running = await this.server.restart(other);
  }

  /** Everything that the server has printed, in all its lives. */
  get log(): string {
    return this.earlierLives + this.server.log();
  }

  /** A room nobody has been in. */
  room(about = "room"): string {
    rooms += 1;
    return `${about}-${process.pid}-${rooms}`;
  }

  async token(claims: Claims, signing?: Signing): Promise<string> {
    const token = await mint(claims, signing);
    this.tokens.add(token);
    return token;
  }

  /** A member by token, in the room as soon as this resolves. */
  async member(
    room: string,
    user: string,
    options: Partial<JoinOptions> & { claims?: Claims } = {},
  ): Promise<PartyClient> {
    const { claims, ...rest } = options;
    const token = rest.token ?? (await this.token({ sub: user, name: user, ...claims }));
    const client = this.join({ room, token, ...rest });
    await client.welcome();
    return client;
  }

  /** A member who leads this room. */
  host(room: string, user = "hana", options: Partial<JoinOptions> = {}): Promise<PartyClient> {
    return this.member(room, user, { claims: { role: "host", rooms: [`main/${room}`] }, ...options });
  }

  async guest(room: string, options: Partial<JoinOptions> = {}): Promise<PartyClient> {
    const client = this.join({ room, ...options });
    await client.welcome();
    return client;
  }

  join(options: JoinOptions): PartyClient {
    return this.keep(new PartyClient(this.server.host, options));
  }

  /** `new PartySocket({ host, room })` and nothing else. */
  bare(room: string): PartyClient {
    return this.keep(new PartyClient(this.server.host, { room }, true));
  }

  raw(options: RawOptions): RawClient {
    return this.keep(new RawClient(this.server.host, options));
  }

  /** Everything that happened in a room from event `since` on, as somebody is told who resumes there. */
  async history(room: string, epoch: string, token: string, since = 0): Promise<RawClient> {
    const client = this.raw({
      room,
      query: `_pk=historian-of-the-room&v=1&token=${token}&epoch=${epoch}&since=${since}`,
    });
    client.seq = since;
    const welcome = await client.welcome();
    expect(welcome.resumed, "the room's whole story can be had").toBe(true);
    await client.reached(welcome.seq);
    return client;
  }

  async get(room: string, init: RequestInit = {}): Promise<Answer> {
    return this.http(`/parties/main/${room}`, init);
  }

  async post(
    room: string,
    body: unknown,
    token?: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.http(`/parties/main/${room}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  async http(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${this.server.http}${path}`, init);
    const text = await response.text();
    let body: Answer["body"] = {};
    try {
      body = JSON.parse(text) as Answer["body"];
    } catch {
      // Not every refusal is ours: a story that expects JSON finds none in `body`.
    }
    return { status: response.status, body, text };
  }

  /** How often a room has come to life, as the server tells with DEBUG_ROOMS. */
  restored(room: string, kind = "main"): number {
    const line = new RegExp(`restored ${kind}/${room.replaceAll(".", "\\.")}(?![\\w.-])`, "g");
    return this.log.match(line)?.length ?? 0;
  }

  /** Everybody leaves; what any of them had to complain of fails the story. */
  dismiss(): string[] {
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
    return clients.flatMap((client) => client.faults);
  }

  private keep<T extends Client>(client: T): T {
    this.clients.push(client);
    return client;
  }
}
