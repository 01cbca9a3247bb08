import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";

const consume = (name: string, count = 3) =>
  env.ADDRESSES.getByName(name).check({
    consume: [{ rule: "read", windows: [{ of: name, count, perMs: 60_000 }] }],
    peek: [],
  });
const readStored = (name: string) =>
  runInDurableObject(env.ADDRESSES.getByName(name), async (_, { storage }) => ({
    keys: [...(await storage.list()).keys()],
    alarm: await storage.getAlarm(),
  }));

it("[L6] an address's object counts many requests at once, and returns the exact wait", async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => consume("many")));
  // Their order is not defined.
  expect(answers.filter(({ ok }) => ok)).toHaveLength(3);
  const last = answers.find(({ ok }) => !ok);
  if (!last || last.ok) throw new Error("let through");
  expect(last.rule).toBe("read");
  expect(last.retryAfterMs).toBeGreaterThan(59_000);
  expect(last.retryAfterMs).toBeLessThanOrEqual(60_000);
});

it("[L5] an address's object has an alarm as long as it keeps anything, and the alarm leaves what still counts", async () => {
  await consume("kept");
  const before = await readStored("kept");
  expect(before.keys).toHaveLength(1);
  expect(before.alarm).toBeGreaterThan(Date.now());
  expect(await runDurableObjectAlarm(env.ADDRESSES.getByName("kept"))).toBe(true);
  const after = await readStored("kept");
  expect(after.keys).toEqual(before.keys);
  expect(after.alarm).toBeGreaterThan(Date.now());
  expect((await consume("kept", 1)).ok).toBe(false);
});
