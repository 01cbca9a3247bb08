import { afterAll, beforeAll, expect, it } from "vitest";
import { cloudflare, partykit } from "../support/platforms";
import type { HttpAnswer } from "./platform-stage";
import { OPEN_ENV, PlatformStage } from "./platform-stage";
import { pause } from "./waiting";

const stages = [partykit, cloudflare].map((platform) => new PlatformStage(platform));
const MINUTE_MS = 60_000;
/** How exact the wait has to be, beyond the time of the request itself. */
const EXACT_MS = 50;

beforeAll(async () => {
  // As it is by default.
  for (const stage of stages) await stage.start({ ...OPEN_ENV, CHAT_LIMIT: undefined });
}, 180_000);
afterAll(() => Promise.all(stages.map((stage) => stage.stop())), 30_000);

/** Both at once: what takes a minute is the waiting. */
it("[L1] message 11 within a minute is refused with the exact wait, over tabs, reconnects, HTTP and a kill -9, and then goes through", async () => {
  await Promise.all(stages.map(checkEleventhLine));
  expect(stages.flatMap((stage) => stage.closeClients())).toEqual([]);
}, 180_000);

async function checkEleventhLine(stage: PlatformStage): Promise<void> {
  const { name } = stage.platform;
  const room = stage.makeRoomName("minute");
  const token = await stage.mintToken({ sub: "ann", name: "ann", role: "host", rooms: ["main/*"] });
  const join = async (tab: string) => {
    const client = stage.join({ room, token, tab });
    await client.waitForWelcome();
    return client;
  };
  const first = await join("the first tab of ann's");
  let soonest = Date.now();
  let latest = 0;
  for (let line = 1; line <= 10; line++) {
    // Over HTTP it is the same window.
    if (line === 5)
      expect((await stage.postAction(room, makeSayAction("over HTTP"), token)).status).toBe(200);
    else await first.expectEvent(first.say(`line ${line}`));
    if (line === 1) latest = Date.now();
  }
  soonest += MINUTE_MS;
  latest += MINUTE_MS;

  const told: string[] = [];
  /** The end of the wait lies a minute after the first line, which came between being sent and being acknowledged. */
  const isExact = (about: string, waitMs: unknown, askedAt: number) => {
    const answeredAt = Date.now();
    told.push(`${about} ${waitMs}`);
    const ends = `${about}: ${waitMs} ms, told within ${answeredAt - askedAt} ms`;
    expect(Number(waitMs) + answeredAt, ends).toBeGreaterThanOrEqual(soonest - EXACT_MS);
    expect(Number(waitMs) + askedAt, ends).toBeLessThanOrEqual(latest + EXACT_MS);
    return Number(waitMs);
  };
  const refused = async (about: string, client: Awaited<ReturnType<typeof join>>) => {
    const askedAt = Date.now();
    const nack = await client.expectNack(client.say("line 11"));
    expect(nack).toMatchObject({
      code: "rate_limited",
      info: { rule: "chat.say", limit: { count: 10, perMs: MINUTE_MS } },
    });
    return isExact(about, nack.retryAfterMs, askedAt);
  };
  const refusedOverHttp = async (about: string) => {
    const askedAt = Date.now();
    const { status, body }: HttpAnswer = await stage.postAction(room, makeSayAction("line 11"), token);
    expect(status).toBe(429);
    isExact(about, body.retryAfterMs, askedAt);
  };

  await refused("at once", first);
  await refused("another tab", await join("another tab of ann's"));
  await refusedOverHttp("over HTTP");
  first.close();
  await refused("a new connection", await join("the first tab of ann's"));
  await stage.kill();
  await stage.restart();
  const last = await join("after the kill");
  await refused("after a kill -9", last);
  await refusedOverHttp("over HTTP after it");
  while (Date.now() < soonest - 1_500) {
    await pause(1_000);
    await refused("asking again", last);
  }
  const waitMs = await refused("the last time", last);
  await pause(waitMs);
  await last.expectEvent(last.say("line 11"));
  console.log(`${name}: ${told.slice(0, 6).join(", ")}, …, ${told.at(-1)} ms, and line 11 went through`);
}

function makeSayAction(text: string) {
  return { id: crypto.randomUUID(), f: "chat", a: "say", d: { text } };
}
