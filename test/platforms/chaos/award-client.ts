import { sendHttp } from "../../support/http-call";
import type { Random } from "../random";
import { pause } from "../waiting";
import type { AckedAwards } from "./acked-awards";

const TIMEOUT_MS = 4_000;
/** A room remembers what it did for two minutes: past half of that, sending again may count twice. */
const RESEND_MS = 60_000;

/** Awards points over HTTP and sends each award until it is acknowledged. */
export class AwardClient {
  sentCount = 0;
  resendCount = 0;
  #count = 0;

  constructor(
    private readonly name: string,
    private readonly room: { url(): string; token: string },
    private readonly acknowledged: AckedAwards,
    private readonly random: Random,
  ) {}

  async award(player: string, points: number): Promise<void> {
    const { random } = this;
    const id = `${this.name}-${this.#count++}`;
    this.sentCount++;
    // Sent twice at once, now and then, as by a double click; or given up before the answer, and sent again.
    if (random.below(10) === 0) {
      this.resendCount++;
      void this.#sendAward(player, points, id).catch(() => {});
    }
    if (random.below(12) === 0) {
      this.resendCount++;
      await this.#sendAward(player, points, id, 1 + random.below(8)).catch(() => {});
    }
    await this.#awardUntilAcked(player, points, id);
  }

  /** The room's own total of a player: an award of 0 changes nothing and returns it. */
  async readTotal(player: string): Promise<number> {
    for (let attempt = 0; ; attempt++) {
      try {
        return (await this.#sendAward(player, 0, `look-${this.name}-${this.#count++}`)) ?? Number.NaN;
      } catch (error) {
        if (attempt === 60 || error instanceof RejectedError) throw error;
        await pause(500);
      }
    }
  }

  async #awardUntilAcked(player: string, points: number, id: string): Promise<void> {
    const startedAt = performance.now();
    for (;;) {
      try {
        await this.#sendAward(player, points, id);
        return this.acknowledged.add(player, points);
      } catch (error) {
        if (error instanceof RejectedError) throw error;
        if (performance.now() - startedAt > RESEND_MS) return this.acknowledged.addUncertain(player, points);
        this.resendCount++;
        await pause(50 + this.random.below(200));
      }
    }
  }

  async #sendAward(user: string, points: number, id: string, patienceMs = TIMEOUT_MS) {
    const { status, text } = await sendHttp(this.room.url(), {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${this.room.token}` },
      body: JSON.stringify({ id, f: "scores", a: "award", d: { user, points } }),
      timeoutMs: patienceMs,
    });
    // Too fast, or the room is away: it is sent again.
    if (status >= 500 || status === 429) throw new Error(`${status} ${text}`);
    if (status !== 200) throw new RejectedError(`${status} ${text}`);
    return (JSON.parse(text) as { d?: { total?: number } }).d?.total;
  }
}

/** A refusal for good: a fault of the run's. */
class RejectedError extends Error {}
