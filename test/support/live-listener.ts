import { get, type IncomingMessage } from "node:http";
import { foldChange, type LiveChange, type LiveTop } from "../../src/protocol/live";

/**
 * Listens to a board as a browser's EventSource does, over a connection of its own: comes back after each break with the last id,
 * after the `retry` time, and folds what it receives.
 */
export class LiveListener {
  top: LiveTop | undefined;
  id: string | undefined;
  readonly received = { board: 0, change: 0 };
  /** How often it has come, and how often it was answered with anything but a stream. */
  connectCount = 0;
  rejectedStatuses: number[] = [];
  /** Protocol errors: a change of a board that was never sent. */
  readonly violations: string[] = [];
  #retryMs = 3_000;
  #response: IncomingMessage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasLeft = false;

  constructor(
    private readonly url: string,
    /** The longest wait, for any `retry`: a test has no time. */
    private readonly maxRetryMs = 300,
  ) {
    this.#connect();
  }

  leave(): void {
    this.#hasLeft = true;
    clearTimeout(this.#timer);
    this.#response?.destroy();
  }

  #connect(): void {
    this.connectCount += 1;
    const headers = { Accept: "text/event-stream", ...(this.id ? { "Last-Event-ID": this.id } : {}) };
    const request = get(this.url, { agent: false, headers }, (response) => {
      this.#response = response;
      if (this.#hasLeft) response.destroy();
      if (response.statusCode !== 200) this.rejectedStatuses.push(response.statusCode ?? 0);
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        const blocks = (text + piece).split("\n\n");
        // A block that was cut off is no event.
        text = blocks.pop() ?? "";
        for (const block of blocks) this.#onBlock(block);
      });
      response.on("error", () => {});
      response.on("close", () => this.#reconnectLater());
    });
    request.on("error", () => this.#reconnectLater());
  }

  #reconnectLater(): void {
    if (this.#hasLeft) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), Math.min(this.#retryMs, this.maxRetryMs) * Math.random());
  }

  #onBlock(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split("\n")) {
      const colon = line.indexOf(": ");
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
    }
    const retry = fields.get("retry");
    if (retry !== undefined) this.#retryMs = Number(retry);
    const event = fields.get("event");
    const data = fields.get("data");
    if (data === undefined) return;
    this.id = fields.get("id");
    if (event === "board") {
      this.received.board += 1;
      const { version, updatedAt, entries } = JSON.parse(data) as LiveTop;
      this.top = { version, updatedAt, entries };
    } else if (event === "change" && this.top) {
      this.received.change += 1;
      this.top = foldChange(this.top, JSON.parse(data) as LiveChange);
    } else this.violations.push(block.slice(0, 200));
  }
}
