import type { HostileMessage } from "./hostile-messages";
import type { PlatformStage } from "./platform-stage";
import type { RawClient } from "./sockets";
import { ERROR_CODES } from "./wire";

const CHUNK_SIZE = 40;

/** Sends its messages in chunks, each followed by a line of its own: a message without an answer by then gets none. */
export class Attacker {
  rejectionCount = 0;
  readonly unanswered: string[] = [];
  private client: RawClient | undefined;
  private connections = 0;

  constructor(
    private readonly stage: PlatformStage,
    private readonly room: string,
    private readonly user: string,
  ) {}

  async run(items: readonly HostileMessage[]): Promise<void> {
    for (const treatment of ["refused", "any", "signal"] as const) {
      let left = items.filter((item) => item.treatment === treatment);
      while (left.length > 0) {
        left = left.slice(await this.sendChunk(left.slice(0, CHUNK_SIZE)));
      }
    }
    this.client?.close();
  }

  /** Returns how many of them were handled: the one that got a bye is the last. */
  private async sendChunk(items: readonly HostileMessage[]): Promise<number> {
    const client = await this.getClient();
    const before = this.readNacks(client);
    const startedAt = Date.now();
    for (const { data, binary } of items) {
      client.socket.send(data, { binary });
    }
    const fence = await client.say("between the waves", undefined, 30_000);
    const nacks = this.readNacks(client).slice(before.length);
    for (const nack of nacks) {
      if (!ERROR_CODES.has(nack.code) || nack.code === "internal") {
        this.unanswered.push(`answered badly: ${JSON.stringify(nack)}`);
      }
    }
    const [bye] = client.byes;
    if (bye) {
      this.client = undefined;
      client.socket.terminate();
      const dealt = Math.min(nacks.length + 1, items.length);
      this.rejectionCount += items[0]?.treatment === "refused" ? dealt : 0;
      return dealt;
    }
    if (fence.kind !== "event") {
      this.unanswered.push(
        `a socket ended without a bye among ${[...new Set(items.map((item) => item.about))].join(", ")}`,
      );
      this.client = undefined;
      return items.length;
    }
    if (items[0]?.treatment === "refused") {
      this.rejectionCount += nacks.length;
      if (nacks.length !== items.length) {
        await this.findUnanswered(client, items);
      }
    }
    if (items[0]?.treatment === "signal" && nacks.length > Math.ceil((Date.now() - startedAt) / 1000) + 1) {
      this.unanswered.push(`${nacks.length} nacks to signals within ${Date.now() - startedAt} ms`);
    }
    return items.length;
  }

  /** Which of them it was, one by one. */
  private async findUnanswered(client: RawClient, items: readonly HostileMessage[]): Promise<void> {
    for (const { about, data, binary } of items) {
      const before = this.readNacks(client).length;
      client.socket.send(data, { binary });
      await client.say("one by one");
      if (client.byes.length === 0 && this.readNacks(client).length !== before + 1) {
        this.unanswered.push(`${about}: ${String(data).slice(0, 200)}`);
      }
    }
  }

  private async getClient(): Promise<RawClient> {
    if (!this.client) {
      const token = await this.stage.mintToken({ sub: this.user });
      this.connections += 1;
      this.client = this.stage.openRaw({
        room: this.room,
        query: `_pk=${this.user}-${this.connections}&token=${token}`,
      });
      await this.client.waitForWelcome();
    }
    return this.client;
  }

  private readNacks(client: RawClient) {
    return client.messages.filter((message) => message.t === "nack");
  }
}
