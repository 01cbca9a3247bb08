import type { Down, Welcome, WireEvent } from "../../src/protocol/messages";

/** A browser's socket with the room's side in the test's hand. One class for each test, since the client takes the class. */
export function fakeSockets() {
  const sockets: FakeSocket[] = [];

  class FakeSocket extends EventTarget {
    static readonly CONNECTING = 0;
    static readonly OPEN = 1;
    static readonly CLOSING = 2;
    static readonly CLOSED = 3;
    readyState = 0;
    binaryType = "blob";
    readonly sent: string[] = [];
    seq = 0;

    constructor(readonly url: string) {
      super();
      sockets.push(this);
    }

    send(text: string): void {
      this.sent.push(text);
    }

    /** As a browser's `close`: the event comes later. */
    close(): void {
      this.readyState = FakeSocket.CLOSED;
    }

    open(): void {
      this.readyState = FakeSocket.OPEN;
      this.dispatchEvent(new Event("open"));
    }

    hear(message: Down | string): void {
      const data = typeof message === "string" ? message : JSON.stringify(message);
      this.dispatchEvent(new MessageEvent("message", { data }));
    }

    welcome(more: Partial<Welcome> = {}): void {
      this.open();
      this.seq = more.seq ?? 0;
      this.hear({
        t: "welcome",
        v: 1,
        room: { kind: "main", id: "hall" },
        you: { user: "ann", name: "Ann", role: "player", conn: "c" },
        epoch: "first",
        seq: this.seq,
        at: Date.now(),
        resumed: false,
        features: {},
        state: {},
        limits: {
          maxBytes: 16_384,
          resendMs: 120_000,
          recoveryMs: 120_000,
          pingMs: 20_000,
          silentMs: 45_000,
          rules: {},
        },
        ...more,
      });
    }

    frame(...e: WireEvent[]): void {
      this.seq += e.length;
      this.hear({ t: "frame", seq: this.seq, at: Date.now(), e });
    }

    /** The actions that were sent. */
    get asked(): { id: string; f: string; a: string; d: unknown }[] {
      return this.sent.flatMap((text) => (text.includes('"t":"do"') ? [JSON.parse(text)] : []));
    }
  }

  return {
    WebSocket: FakeSocket,
    sockets,
    /** The socket of that number, once it has been opened: partysocket takes its time. */
    async socket(index = 0): Promise<FakeSocket> {
      for (let turns = 0; sockets.length <= index; turns++) {
        if (turns > 500) throw new Error(`Socket ${index} was never opened.`);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      return sockets[index] as FakeSocket;
    },
  };
}
