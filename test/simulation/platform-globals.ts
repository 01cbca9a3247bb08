import type { Random } from "../platforms/random";

/** The clock, timers and randomness that a piece of the platform runs on. */
export interface Machine {
  readonly now: number;
  readonly random: Random;
  setTimeout(run: () => void, ms: number): () => void;
  onLog(said: unknown[]): void;
}

/**
 * What the platform's code finds as its globals: the bundler puts these in the place of the real ones, so that `RoomHost`
 * runs as it is, on the clock, the timers and the randomness of the running simulated process.
 */
let running: Machine | undefined;

export function runIn<T>(machine: Machine, work: () => T): T {
  running = machine;
  return work();
}

function getMachine(): Machine {
  if (!running) throw new Error("Platform code ran outside of every process.");
  return running;
}

export { SeededMath as Math, VirtualDate as Date };

const RealMath = globalThis.Math;

const VirtualDate = { now: () => getMachine().now };
export const setTimeout = (run: () => void, ms: number) => getMachine().setTimeout(run, ms);
export const clearTimeout = (timer: (() => void) | null | undefined) => timer?.();
export const console = {
  error: (...said: unknown[]) => getMachine().onLog(said),
  warn: () => {},
  log: () => {},
};
export const crypto = {
  getRandomValues<T extends Uint8Array>(bytes: T): T {
    for (let at = 0; at < bytes.length; at++) bytes[at] = getMachine().random.below(256);
    return bytes;
  },
};
const SeededMath = Object.assign(Object.create(RealMath) as typeof RealMath, {
  random: () => getMachine().random.next(),
});

/** An answer over HTTP; its body is had without waiting. */
export class Response {
  readonly status: number;
  constructor(
    readonly body: string | null,
    init: { status?: number } = {},
  ) {
    this.status = init.status ?? 200;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  static json(body: unknown, init?: { status?: number }): Response {
    return new Response(JSON.stringify(body), init);
  }

  async json(): Promise<unknown> {
    return JSON.parse(this.body ?? "null");
  }
}
