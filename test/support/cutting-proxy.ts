import { connect, createServer, type Server, type Socket } from "node:net";
import type { Random } from "../platforms/random";

/**
 * How a connection is ended, or made to seem alive:
 * - `reset` both sides at once, with what is under way lost;
 * - `fin` both sides in order, after what was read so far has gone out;
 * - `deaf client`: the server is reset, the client is told nothing and speaks into a void;
 * - `deaf server`: the client is reset, the server keeps a socket that nobody holds;
 * - `torn`: half of the next piece goes out, then a reset, in the middle of a message as likely as not.
 */
export const cuts = ["reset", "fin", "deaf client", "deaf server", "torn"] as const;
export type Cut = (typeof cuts)[number];

/** Of the two ways through a connection. */
export type Way = "up" | "down";

export interface CuttingProxyOptions {
  /** Where it leads to, on this machine. */
  port: number;
  random: Random;
  /** Each piece is kept back for up to so long, in order; 0 is not at all. */
  delayMs?: number;
  /** How long a `deaf` side is left in its belief before it is reset, too. */
  deafMs?: number;
  /** Is shown each piece before it goes on, and may do something to its connection first. */
  sees?: (line: Line, way: Way, piece: Buffer) => void;
}

/**
 * Stands between clients and a server and knows nothing of what they say: bytes in, bytes out, until it is told to cut,
 * to stall or to refuse. Everything it does by chance follows from its seed.
 */
export class CuttingProxy {
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  /** How often it cut, by way of cutting. */
  readonly counts = new Map<Cut, number>();
  /** Comers are reset at once, as where nobody listens. */
  refuses = false;
  /** When each connection was asked for. */
  readonly cameAt: number[] = [];
  #port = 0;

  constructor(private readonly options: CuttingProxyOptions) {
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#came(client));
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The proxy has no port.");
    this.#port = address.port;
    return this;
  }

  async stop(): Promise<void> {
    for (const line of [...this.#lines]) line.end();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** What a client takes for the server. */
  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Connections that nothing has been done to, in the order they came. */
  get lines(): readonly Line[] {
    return [...this.#lines].filter(({ isWhole }) => isWhole);
  }

  cut(line: Line, how: Cut): void {
    this.counts.set(how, (this.counts.get(how) ?? 0) + 1);
    line.cut(how);
  }

  /** One of them, in one of the ways. Answers whether there was any. */
  cutAny(ways: readonly Cut[] = cuts): boolean {
    const { random } = this.options;
    const { lines } = this;
    if (lines.length === 0) return false;
    this.cut(random.pick(lines), random.pick(ways));
    return true;
  }

  #came(client: Socket): void {
    this.cameAt.push(performance.now());
    if (this.refuses) {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const line = new Line(client, this.options, () => this.#lines.delete(line));
    this.#lines.add(line);
  }
}

/** One connection through the proxy: two sockets and what is under way between them. */
export class Line {
  readonly #server: Socket;
  readonly #ways: Readonly<Record<Way, Pipe>>;
  readonly #deafMs: number;
  #state: "whole" | "cut" | "torn" | "over" = "whole";

  constructor(
    readonly client: Socket,
    { port, random, delayMs = 0, deafMs = 500, sees }: CuttingProxyOptions,
    private readonly gone: () => void,
  ) {
    this.#deafMs = deafMs;
    this.#server = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const pipe = (from: Socket, to: Socket, way: Way) => {
      if (sees) from.on("data", (piece: Buffer) => this.isWhole && sees(this, way, piece));
      return new Pipe(
        from,
        to,
        () => (delayMs === 0 ? 0 : random.next() * delayMs),
        () => this.#tears(),
      );
    };
    this.#ways = { up: pipe(client, this.#server, "up"), down: pipe(this.#server, client, "down") };
    for (const [socket, other] of [
      [client, this.#server],
      [this.#server, client],
    ] as const) {
      socket.on("error", () => this.#broke(other));
      socket.on("close", () => this.#broke(other));
    }
  }

  get isWhole(): boolean {
    return this.#state === "whole";
  }

  /** Nothing passes that way until it is let go; TCP would call it a slow network. */
  stall(way: Way): void {
    this.#ways[way].stall();
  }

  letGo(way: Way): void {
    this.#ways[way].letGo();
  }

  cut(how: Cut): void {
    if (this.#state === "over") return;
    switch (how) {
      case "reset":
        return this.end();
      case "fin":
        this.#state = "cut";
        this.#ways.up.finish();
        this.#ways.down.finish();
        this.#later();
        return;
      case "deaf client":
        this.#state = "cut";
        this.#drop();
        this.#server.resetAndDestroy();
        this.#later();
        return;
      case "deaf server":
        this.#state = "cut";
        this.#drop();
        this.client.resetAndDestroy();
        this.#later();
        return;
      case "torn":
        this.#state = "torn";
        this.#later();
        return;
    }
  }

  /** Both sides at once. */
  end(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#drop();
    this.client.resetAndDestroy();
    this.#server.resetAndDestroy();
    this.gone();
  }

  /** Answers whether this piece is the one to be torn. */
  #tears(): boolean {
    if (this.#state !== "torn") return false;
    setImmediate(() => this.end());
    return true;
  }

  #drop(): void {
    this.#ways.up.drop();
    this.#ways.down.drop();
  }

  /** Whoever was left to believe in it learns the truth in the end. */
  #later(): void {
    setTimeout(() => this.end(), this.#deafMs).unref();
  }

  /** One side went by itself: the other follows, unless it is to believe that nothing happened. */
  #broke(other: Socket): void {
    if (this.#state !== "whole") return;
    this.#state = "cut";
    this.#drop();
    if (other.writable) other.end();
    this.#later();
  }
}

/** Bytes from one socket to another, in order, each piece as late as it is told to be. */
class Pipe {
  #waiting: { dueAt: number; piece: Buffer | "end" }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isStalled = false;
  #isDropped = false;
  #lastDueAt = 0;

  constructor(
    from: Socket,
    private readonly to: Socket,
    private readonly delayMs: () => number,
    private readonly tears: () => boolean,
  ) {
    from.on("data", (piece) => this.#put(piece));
    from.on("end", () => this.#put("end"));
  }

  stall(): void {
    this.#isStalled = true;
  }

  letGo(): void {
    this.#isStalled = false;
    this.#move();
  }

  /** After what has been read so far, the end. */
  finish(): void {
    this.#put("end");
  }

  drop(): void {
    this.#isDropped = true;
    this.#waiting = [];
    clearTimeout(this.#timer);
  }

  #put(piece: Buffer | "end"): void {
    if (this.#isDropped) return;
    this.#lastDueAt = Math.max(this.#lastDueAt, performance.now() + this.delayMs());
    this.#waiting.push({ dueAt: this.#lastDueAt, piece });
    this.#move();
  }

  #move(): void {
    clearTimeout(this.#timer);
    for (;;) {
      const [next] = this.#waiting;
      if (!next || this.#isStalled || !this.to.writable) return;
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#move(), Math.ceil(waitMs));
        return;
      }
      this.#waiting.shift();
      if (next.piece === "end") {
        this.to.end();
        this.drop();
        return;
      }
      if (this.tears()) {
        this.to.write(next.piece.subarray(0, next.piece.length >> 1));
        this.drop();
        return;
      }
      this.to.write(next.piece);
    }
  }
}
