import { describe, expect, it } from "vitest";
import { TokenCache } from "../../src/identity/token-cache";
import type { UserIdentity } from "../../src/identity/user-identity";
import { Verifier } from "../../src/identity/verifier";
import { freshSeed, randomFrom } from "../platforms/random";
import { forgeToken, HOUR_MS, makeClaims, NOW, OTHER_SECRET, SECRET } from "../support/test-edge";

const MINUTE_MS = 60_000;

function makeIdentity(user: string, expiresAt = NOW + HOUR_MS): UserIdentity {
  return { user, name: user, role: "player", guest: false, expiresAt };
}

describe("the cache of verified tokens", () => {
  it("the cache knows a token for five minutes, and never past its end", () => {
    const cache = new TokenCache();
    cache.set("long", makeIdentity("ann"), NOW);
    cache.set("short", makeIdentity("bob", NOW + MINUTE_MS), NOW);
    expect(cache.find("short", NOW + MINUTE_MS - 1)).toMatchObject({ user: "bob" });
    expect(cache.find("short", NOW + MINUTE_MS)).toBeUndefined();
    expect(cache.find("long", NOW + 5 * MINUTE_MS - 1)).toMatchObject({ user: "ann" });
    expect(cache.find("long", NOW + 5 * MINUTE_MS), "a lookup does not extend it").toBeUndefined();
    expect(cache.size).toBe(0);
    expect([cache.hits, cache.misses]).toEqual([2, 2]);
  });

  it("the cache holds a thousand tokens, and evicts the least recently used", () => {
    const cache = new TokenCache();
    for (let n = 0; n < 1_000; n++) cache.set(`t${n}`, makeIdentity(`u${n}`), NOW);
    cache.find("t0", NOW);
    cache.set("one more", makeIdentity("new"), NOW);
    expect(cache.size).toBe(1_000);
    expect(cache.find("t0", NOW)).toMatchObject({ user: "u0" });
    expect(cache.find("t1", NOW)).toBeUndefined();
  });

  it("a drop removes all tokens of a user", () => {
    const cache = new TokenCache();
    for (const user of ["ann", "__proto__"]) {
      for (const n of [1, 2, 3]) cache.set(`${user}${n}`, makeIdentity(user), NOW);
    }
    cache.drop("ann");
    cache.drop("nobody");
    expect(cache.find("ann1", NOW)).toBeUndefined();
    expect(cache.find("__proto__1", NOW)).toMatchObject({ user: "__proto__" });
    expect(cache.size).toBe(3);
    cache.set("ann4", makeIdentity("ann"), NOW);
    expect(cache.find("ann4", NOW)).toMatchObject({ user: "ann" });
  });

  it("the cache agrees with a model without a bound on age or size, in 20,000 random steps", () => {
    const random = randomFrom(freshSeed());
    const cache = new TokenCache();
    let model: { digest: string; who: UserIdentity; until: number }[] = [];
    let now = NOW;
    for (let step = 0; step < 20_000; step++) {
      now += random.below(400);
      const user = `u${random.below(300)}`;
      const digest = `${user}/${random.below(8)}`;
      const context = `seed ${random.seed}, step ${step}`;
      const act = random.below(20);
      if (act === 0) {
        cache.drop(user);
        model = model.filter(({ who }) => who.user !== user);
      } else if (act < 8) {
        const who = makeIdentity(user, now + random.below(600_000));
        cache.set(digest, who, now);
        model = model.filter((entry) => entry.digest !== digest);
        model.push({ digest, who, until: Math.min(now + 300_000, who.expiresAt) });
        model = model.slice(-1_000);
      } else {
        const found = cache.find(digest, now);
        const entry = model.find((one) => one.digest === digest);
        const good = entry !== undefined && entry.until > now ? entry : undefined;
        if (found !== good?.who) expect.fail(`${context}: ${digest}`);
        if (entry) model = model.filter((one) => one !== entry);
        if (good) model.push(good);
      }
      if (cache.size > 1_000) expect.fail(`${context}: ${cache.size}`);
    }
    expect(cache.hits).toBeGreaterThan(500);
    expect(cache.misses).toBeGreaterThan(500);
  });
});

describe("the token verifier", () => {
  it("the verifier checks a signature once, counts cache hits, and checks again after a drop", async () => {
    const verifier = new Verifier({ secret: SECRET });
    const token = forgeToken(makeClaims());
    for (let n = 0; n < 5; n++) expect(await verifier.verify(token, NOW)).toMatchObject({ ok: true });
    expect(verifier.state.tokens).toEqual({ hits: 4, misses: 1, held: 1 });
    verifier.drop("ann");
    expect(verifier.state.tokens.held).toBe(0);
    await verifier.verify(token, NOW);
    expect(verifier.state.tokens).toEqual({ hits: 4, misses: 2, held: 1 });
  });

  it("the verifier caches no invalid token, and none past its end", async () => {
    const verifier = new Verifier({ secret: SECRET });
    const bad = ["", "x", forgeToken(makeClaims(), { secret: OTHER_SECRET }), "x".repeat(10_000), "a.b.c"];
    for (const token of [...bad, ...bad]) {
      expect(await verifier.verify(token, NOW)).toMatchObject({ ok: false, cause: "bad" });
    }
    expect(verifier.state.tokens).toMatchObject({ hits: 0, held: 0 });
    const exp = Math.floor(NOW / 1000) + 10;
    const short = forgeToken(makeClaims({ exp }));
    expect(await verifier.verify(short, exp * 1000 - 1)).toMatchObject({ ok: true });
    expect(await verifier.verify(short, exp * 1000)).toMatchObject({ ok: false, cause: "ended" });
  });

  it("the verifier distinguishes two tokens with the same beginning", async () => {
    const verifier = new Verifier({ secret: SECRET });
    const good = forgeToken(makeClaims());
    await verifier.verify(good, NOW);
    expect(await verifier.verify(`${good}A`, NOW)).toMatchObject({ ok: false });
    expect(await verifier.verify(good.slice(0, -1), NOW)).toMatchObject({ ok: false });
  });
});
