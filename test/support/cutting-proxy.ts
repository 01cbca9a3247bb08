import { connect, createServer, type Server, type Socket } from "node:net";
import type { Random } from "../platforms/random";

/**
 * How a connection is ended, or made to seem alive:
 * - `reset` both sides at once, with bytes in flight lost;
 * - `fin` both sides in order, after what was read so far has gone out;
 * - `half-open client`: the server is reset, the client does not notice and sends into the void;
 * - `half-open server`: the client is reset, the server keeps a socket without a client;
 * - `torn`: half of the next piece goes out, then a reset, in the middle of a message as likely as not.
 */
export const cuts = ["reset", "fin", "half-open client", "half-open server", "torn"] as const;
export type Cut = (typeof cuts)[number];

/** Of the two ways through a connection. */
export type Direction = "up" | "down";

export interface CuttingProxyOptions {
  /** Where it leads to, on this machine. */
  port: number;
  random: Random;
  /** Each piece is kept back for up to so long, in order; 0 is not at all. */
  delayMs?: number;
  /** How long a half-open side stays open before it is reset, too. */
  halfOpenMs?: number;
  /** Sees each piece before it goes on, and may act on its connection first. */
  onChunk?: (line: ProxiedConnection, way: Direction, piece: Buffer) => void;
}

/**
 * A proxy between clients and a server that does not read their messages: bytes in, bytes out, until a test makes it cut,
 * stall or refuse. All its random choices follow from its seed.
 */
export class CuttingProxy {
  readonly #server: Server;
  readonly #connections = new Set<ProxiedConnection>();
  /** The number of cuts, by kind. */
  readonly counts = new Map<Cut, number>();
  /** New connections are reset at once, as on a closed port. */
  isRefusing = false;
  /** When each connection came. */
  readonly connectedAt: number[] = [];
  #port = 0;

  constructor(private readonly options: CuttingProxyOptions) {
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) =>
      this.#onConnection(client),
    );
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
    for (const line of [...this.#connections]) line.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** The address that clients use as the server's. */
  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Connections that nothing has been done to, in the order they came. */
  get connections(): readonly ProxiedConnection[] {
    return [...this.#connections].filter(({ isIntact: isWhole }) => isWhole);
  }

  cut(line: ProxiedConnection, how: Cut): void {
    this.counts.set(how, (this.counts.get(how) ?? 0) + 1);
    line.cut(how);
  }

  /** Cuts one of them in one of the ways. Returns whether there was any. */
  cutAny(ways: readonly Cut[] = cuts): boolean {
    const { random } = this.options;
    const { connections: lines } = this;
    if (lines.length === 0) return false;
    this.cut(random.pick(lines), random.pick(ways));
    return true;
  }

  #onConnection(client: Socket): void {
    this.connectedAt.push(performance.now());
    if (this.isRefusing) {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const line = new ProxiedConnection(client, this.options, () => this.#connections.delete(line));
    this.#connections.add(line);
  }
}

/** One connection through the proxy: two sockets and the bytes in flight between them. */
export class ProxiedConnection {
  readonly #server: Socket;
  readonly #pipes: Readonly<Record<Direction, Pipe>>;
  readonly #halfOpenMs: number;
  #state: "whole" | "cut" | "torn" | "over" = "whole";

  constructor(
    readonly client: Socket,
    { port, random, delayMs = 0, halfOpenMs = 500, onChunk: sees }: CuttingProxyOptions,
    private readonly onEnd: () => void,
  ) {
    this.#halfOpenMs = halfOpenMs;
    this.#server = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const pipe = (from: Socket, to: Socket, way: Direction) => {
      if (sees) from.on("data", (piece: Buffer) => this.isIntact && sees(this, way, piece));
      return new Pipe(
        from,
        to,
        () => (delayMs === 0 ? 0 : random.next() * delayMs),
        () => this.#takeTear(),
      );
    };
    this.#pipes = { up: pipe(client, this.#server, "up"), down: pipe(this.#server, client, "down") };
    for (const [socket, other] of [
      [client, this.#server],
      [this.#server, client],
    ] as const) {
      socket.on("error", () => this.#onPeerClosed(other));
      socket.on("close", () => this.#onPeerClosed(other));
    }
  }

  get isIntact(): boolean {
    return this.#state === "whole";
  }

  /** Nothing passes that way until it is released, as on a slow network. */
  stall(direction: Direction): void {
    this.#pipes[direction].stall();
  }

  resume(direction: Direction): void {
    this.#pipes[direction].resume();
  }

  cut(how: Cut): void {
    if (this.#state === "over") return;
    switch (how) {
      case "reset":
        return this.destroy();
      case "fin":
        this.#state = "cut";
        this.#pipes.up.finish();
        this.#pipes.down.finish();
        this.#destroyLater();
        return;
      case "half-open client":
        this.#state = "cut";
        this.#dropPending();
        this.#server.resetAndDestroy();
        this.#destroyLater();
        return;
      case "half-open server":
        this.#state = "cut";
        this.#dropPending();
        this.client.resetAndDestroy();
        this.#destroyLater();
        return;
      case "torn":
        this.#state = "torn";
        this.#destroyLater();
        return;
    }
  }

  /** Both sides at once. */
  destroy(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#dropPending();
    this.client.resetAndDestroy();
    this.#server.resetAndDestroy();
    this.onEnd();
  }

  /** Returns whether this piece is the one to be torn. */
  #takeTear(): boolean {
    if (this.#state !== "torn") return false;
    setImmediate(() => this.destroy());
    return true;
  }

  #dropPending(): void {
    this.#pipes.up.drop();
    this.#pipes.down.drop();
  }

  /** A half-open side is reset in the end. */
  #destroyLater(): void {
    setTimeout(() => this.destroy(), this.#halfOpenMs).unref();
  }

  /** One side closed by itself: the other follows, unless it is to stay half-open. */
  #onPeerClosed(other: Socket): void {
    if (this.#state !== "whole") return;
    this.#state = "cut";
    this.#dropPending();
    if (other.writable) other.end();
    this.#destroyLater();
  }
}

/** Bytes from one socket to another, in order, each piece after its delay. */
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
    private readonly takeTear: () => boolean,
  ) {
    from.on("data", (piece) => this.#enqueue(piece));
    from.on("end", () => this.#enqueue("end"));
  }

  stall(): void {
    this.#isStalled = true;
  }

  resume(): void {
    this.#isStalled = false;
    this.#forward();
  }

  /** After what has been read so far, the end. */
  finish(): void {
    this.#enqueue("end");
  }

  drop(): void {
    this.#isDropped = true;
    this.#waiting = [];
    clearTimeout(this.#timer);
  }

  #enqueue(piece: Buffer | "end"): void {
    if (this.#isDropped) return;
    this.#lastDueAt = Math.max(this.#lastDueAt, performance.now() + this.delayMs());
    this.#waiting.push({ dueAt: this.#lastDueAt, piece });
    this.#forward();
  }

  #forward(): void {
    clearTimeout(this.#timer);
    for (;;) {
      const [next] = this.#waiting;
      if (!next || this.#isStalled || !this.to.writable) return;
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#forward(), Math.ceil(waitMs));
        return;
      }
      this.#waiting.shift();
      if (next.piece === "end") {
        this.to.end();
        this.drop();
        return;
      }
      if (this.takeTear()) {
        this.to.write(next.piece.subarray(0, next.piece.length >> 1));
        this.drop();
        return;
      }
      this.to.write(next.piece);
    }
  }
}
