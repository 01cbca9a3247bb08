import { createHmac } from "node:crypto";
import { type CryptoKey, exportJWK, exportSPKI, importJWK, type JWK } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KeyRing } from "../../src/identity/key-ring";
import { Verifier } from "../../src/identity/verifier";
import type { Who, WhoRefused } from "../../src/identity/who";
import { forge, OTHER_SECRET, SECRET } from "../support/edge";
import { AUDIENCE, ISSUER, KeyServer, sign } from "../support/key-server";

const server = new KeyServer();
let skewMs = 0;
const clock = () => Date.now() + skewMs;

beforeEach(async () => {
  skewMs = 0;
  Object.assign(server, { mood: "well", requests: 0, keys: [] });
  await server.start();
  // What it says of a key server that is away is for whoever runs it.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await server.stop();
});

function trusting(secret?: string): Verifier {
  const jwks = { url: server.url, issuer: ISSUER, audience: AUDIENCE };
  return new Verifier({ jwks, ...(secret === undefined ? {} : { secret }) }, clock);
}

async function who(verifier: Verifier, token: string): Promise<Who> {
  const read = await verifier.verify(token, clock());
  if (!read.ok) throw new Error(read.reason);
  return read.who;
}

async function refused(verifier: Verifier, token: string): Promise<WhoRefused> {
  const read = await verifier.verify(token, clock());
  if (read.ok) throw new Error(`let in: ${JSON.stringify(read.who)}`);
  return read;
}

const NOT_OURS = { cause: "bad", reason: "This token was not made for this server." };

describe("a token of the issuer's", () => {
  it.each(["RS256", "PS256", "ES256", "ES384", "EdDSA"])(
    "[T9] is good when signed with its key by %s",
    async (alg) => {
      const pair = await server.make("k1", alg);
      const token = await sign(pair, { name: "Ann", role: "host", rooms: ["main/h*"] });
      expect(await who(trusting(), token)).toMatchObject({
        user: "ann",
        name: "Ann",
        role: "host",
        rooms: ["main/h*"],
        guest: false,
      });
    },
  );

  it("[T9] is refused with another issuer or audience, with none, and without an end", async () => {
    const pair = await server.make("k1");
    const verifier = trusting();
    for (const claims of [
      { iss: "https://other.test/" },
      { iss: undefined },
      { iss: [ISSUER] },
      { aud: "others" },
      { aud: undefined },
      { aud: [] },
      { aud: ["others", AUDIENCE.toUpperCase()] },
    ]) {
      const read = await refused(verifier, await sign(pair, claims));
      expect(read, JSON.stringify(claims)).toMatchObject(NOT_OURS);
    }
    expect(await refused(verifier, await sign(pair, { exp: undefined }))).toMatchObject({ cause: "bad" });
    expect(await who(verifier, await sign(pair, { aud: ["others", AUDIENCE] }))).toMatchObject({
      user: "ann",
    });
  });

  it("[T9] is refused with every algorithm but the key's own, and with a public key used as a secret", async () => {
    const pair = await server.make("k1", "RS256");
    const verifier = trusting(SECRET);
    await who(verifier, await sign(pair));
    const privateJwk = await exportJWK(pair.privateKey);
    for (const alg of ["RS384", "RS512", "PS256"]) {
      const privateKey = (await importJWK(privateJwk, alg)) as CryptoKey;
      expect(await refused(verifier, await sign({ ...pair, privateKey, alg })), alg).toMatchObject(NOT_OURS);
    }
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: "ann", role: "admin", exp: clock() / 1000 + 60 };
    const jwk = JSON.stringify(server.keys[0]);
    const pem = await exportSPKI(pair.publicKey);
    for (const secret of [pem, pem.trim(), jwk, String((server.keys[0] as JWK).n), OTHER_SECRET]) {
      for (const alg of [
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "none",
        "RS384",
        "PS256",
        "ES256",
        "",
        "rs256",
      ]) {
        const header = { alg, kid: "k1" };
        expect(await refused(verifier, forge(claims, { header, secret })), alg).toMatchObject(NOT_OURS);
      }
    }
    const unsigned = forge(claims, { header: { alg: "none", kid: "k1" } }).replace(/[^.]+$/, "");
    expect(await refused(verifier, unsigned)).toMatchObject(NOT_OURS);
    const odd = createHmac("sha256", pem).update("x").digest("base64url");
    expect(await refused(verifier, `e30.e30.${odd}`)).toMatchObject(NOT_OURS);
  });

  it("[T9] is not met by keys that are no public signing keys", async () => {
    const bad = [
      await server.make("enc", "ES256", { use: "enc" } as JWK),
      await server.make("ops", "ES256", { key_ops: ["sign"] } as JWK),
      await server.make("mis", "ES256", { alg: "RS256" } as JWK),
      await server.make("prv", "ES256", { d: "AAAA" } as JWK),
    ];
    server.keys.push({ kty: "oct", k: Buffer.from(SECRET).toString("base64url"), kid: "oct", alg: "HS256" });
    server.keys.push({ kty: "EC", crv: "P-256", x: "!", y: "?", kid: "nonsense" });
    server.keys.push(null as unknown as JWK, "key" as unknown as JWK, {
      kty: "RSA",
      n: "AQAB",
      e: "AQAB",
      kid: "tiny",
    });
    const good = await server.make("good");
    const verifier = trusting();
    for (const pair of bad)
      expect(await refused(verifier, await sign(pair)), pair.kid).toMatchObject(NOT_OURS);
    const header = { alg: "HS256", kid: "oct" };
    expect(await refused(verifier, forge({ sub: "ann", exp: 9e9 }, { header }))).toMatchObject(NOT_OURS);
    expect(await who(verifier, await sign(good))).toMatchObject({ user: "ann" });
  });

  it("[T9] names its key, unless the issuer has only one", async () => {
    const pair = await server.make("k1");
    const nameless = await sign(pair, {}, Date.now(), { kid: undefined });
    expect(await who(trusting(), nameless)).toMatchObject({ user: "ann" });
    await server.make("k2");
    expect(await refused(trusting(), nameless)).toMatchObject(NOT_OURS);
  });

  it("[T4] is never a guest's", async () => {
    const pair = await server.make("k1");
    for (const claims of [{ sub: "guest-1" }, { sub: "guest-1", guest: true }]) {
      expect(await refused(trusting(), await sign(pair, claims))).toMatchObject({ cause: "bad" });
    }
  });

  it("[T10] bears an issuer's clock that is a minute ahead, and gives its end nothing", async () => {
    const pair = await server.make("k1");
    const second = Math.floor(clock() / 1000);
    const verifier = trusting();
    const ahead = { nbf: second + 58, iat: second + 58, exp: second + 3_600 };
    expect(await who(verifier, await sign(pair, ahead))).toMatchObject({ user: "ann" });
    expect(await refused(verifier, await sign(pair, { nbf: second + 65 }))).toMatchObject({
      cause: "bad",
      reason: "The token is not valid yet (nbf).",
    });
    expect(await refused(verifier, await sign(pair, { exp: second }))).toMatchObject({ cause: "ended" });
  });

  it("stands beside tokens of the shared secret, which need no issuer", async () => {
    const pair = await server.make("k1");
    const both = trusting(SECRET);
    const shared = forge({ sub: "bob", exp: Math.floor(clock() / 1000) + 60 });
    expect(await who(both, await sign(pair))).toMatchObject({ user: "ann" });
    expect(await who(both, shared)).toMatchObject({ user: "bob" });
    expect(await refused(trusting(), shared)).toMatchObject(NOT_OURS);
    expect(await refused(new Verifier({ secret: SECRET }), await sign(pair))).toMatchObject(NOT_OURS);
  });
});

describe("the issuer's keys", () => {
  it("[T11] are asked for once, however many come at once", async () => {
    const pair = await server.make("k1");
    server.mood = "slow";
    const verifier = trusting();
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, n) => sign(pair, { sub: `u${n}` })));
    const read = await Promise.all(tokens.map((token) => who(verifier, token)));
    expect(read.map(({ user }) => user)).toEqual(tokens.map((_, n) => `u${n}`));
    expect(server.requests).toBe(1);
  });

  it("[T11] are asked for anew when a token names one that is new, and strangers cannot make that a flood", async () => {
    const old = await server.make("old");
    const verifier = trusting();
    await who(verifier, await sign(old));
    const young = await server.make("young");
    expect(await who(verifier, await sign(young))).toMatchObject({ user: "ann" });
    expect(server.requests).toBe(2);
    const answers = [];
    for (let n = 0; n < 40; n++) {
      const stranger = { ...young, kid: `nobody-${n}` };
      answers.push(await refused(verifier, await sign(stranger)));
    }
    expect(server.requests).toBe(5);
    expect(answers.slice(0, 3)).toMatchObject([NOT_OURS, NOT_OURS, NOT_OURS]);
    // Not known to be bad: the newest set was not looked at. It says when it will be.
    expect(answers.at(-1)).toMatchObject({ cause: "unavailable" });
    const last = answers.at(-1);
    if (last?.cause !== "unavailable") throw new Error("no time to come back");
    expect(last.retryAfterMs).toBeGreaterThan(25_000);
    expect(await who(verifier, await sign(young, { sub: "bob" }))).toMatchObject({ user: "bob" });
    skewMs = last.retryAfterMs;
    const late = await server.make("late");
    expect(await who(verifier, await sign(late))).toMatchObject({ user: "ann" });
  });

  it("[T11] that were withdrawn are good for ten minutes more at most, also for a token known to be good", async () => {
    const pair = await server.make("k1");
    const kept = await server.make("k2");
    const verifier = trusting();
    const token = await sign(pair);
    await who(verifier, token);
    server.withdraw("k1");
    skewMs = 599_000;
    expect(await who(verifier, token)).toMatchObject({ user: "ann" });
    skewMs = 601_000;
    // Another's token has the set asked for, and the cached one falls with its key.
    await who(verifier, await sign(kept, { exp: clock() / 1000 + 60 }));
    expect(await refused(verifier, token)).toMatchObject(NOT_OURS);
  });

  it("[T11] whose name another key bears by now are withdrawn like any other", async () => {
    const lost = await server.make("k1");
    const kept = await server.make("k2");
    const verifier = trusting();
    await who(verifier, await sign(lost));
    server.withdraw("k1");
    const next = await server.make("k1");
    skewMs = 599_000;
    const cached = await sign(lost, { sub: "bob" });
    await who(verifier, cached);
    skewMs = 601_000;
    await who(verifier, await sign(kept, { exp: clock() / 1000 + 60 }));
    expect(await refused(verifier, cached)).toMatchObject(NOT_OURS);
    expect(await who(verifier, await sign(next))).toMatchObject({ user: "ann" });
  });

  it("[T11] that cannot be had at the start are waited for no longer than three seconds, and had later", async () => {
    const pair = await server.make("k1");
    const token = await sign(pair);
    server.mood = "silent";
    const verifier = trusting();
    const startedAt = Date.now();
    const [one, two] = await Promise.all([refused(verifier, token), refused(verifier, token)]);
    const took = Date.now() - startedAt;
    expect(took).toBeGreaterThan(2_500);
    expect(took).toBeLessThan(4_500);
    expect([one.cause, two.cause]).toEqual(["unavailable", "unavailable"]);
    expect(verifier.state.keys).toMatchObject({ known: 0, problem: expect.stringContaining("3000 ms") });
    server.mood = "well";
    // Left alone for a moment: who comes meanwhile is answered at once.
    const again = await refused(verifier, token);
    expect(Date.now() - startedAt - took).toBeLessThan(1_000);
    if (again.cause !== "unavailable") throw new Error("no time to come back");
    expect(server.requests).toBe(1);
    skewMs = again.retryAfterMs;
    expect(await who(verifier, token)).toMatchObject({ user: "ann" });
    expect(verifier.state.keys).toEqual({ known: 1, requests: 2 });
  }, 15_000);

  it("[T11] are not asked for once more by who waits, where the first request ends a little late", async () => {
    server.mood = "slow";
    let now = 1_000_000;
    const ring = new KeyRing(server.url, undefined, () => now);
    const first = ring.find("k1", "ES256");
    now += 1;
    const second = ring.find("k1", "ES256");
    // The first one's time is over, the second's is not, and the answer is still to come.
    now += 2_999;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(ring.requests).toBe(1);
    now += 1;
    expect(await second).toMatchObject({ ok: false });
    expect(await first).toMatchObject({ ok: false });
    expect(ring.requests).toBe(1);
  });

  it.each(["failing", "garbage", "moved", "down"] as const)(
    "[T11] hold while their server is %s, for a day",
    async (mood) => {
      const pair = await server.make("k1");
      const verifier = trusting();
      await who(verifier, await sign(pair));
      if (mood === "down") await server.stop();
      else server.mood = mood;
      for (const laterMs of [700_000, 3_600_000, 86_000_000]) {
        skewMs = laterMs;
        const token = await sign(pair, {}, clock());
        expect(await who(verifier, token), `${laterMs}`).toMatchObject({ user: "ann" });
      }
      expect(verifier.state.keys?.problem).toMatch(/^The keys of AUTH_JWKS_URL cannot be fetched: [^/]*\.$/);
      skewMs = 86_500_000;
      expect(await refused(verifier, await sign(pair, {}, clock()))).toMatchObject({ cause: "unavailable" });
      if (mood === "down") await server.start();
    },
  );

  it("[T11] are known although their server has become slow: only one waits, and not for long", async () => {
    const pair = await server.make("k1");
    const verifier = trusting();
    await who(verifier, await sign(pair));
    server.mood = "silent";
    skewMs = 700_000;
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, n) => sign(pair, { sub: `u${n}` }, clock())),
    );
    const startedAt = Date.now();
    const waits = await Promise.all(
      tokens.map((token) => who(verifier, token).then(() => Date.now() - startedAt)),
    );
    waits.sort((a, b) => a - b);
    expect(waits[18]).toBeLessThan(1_500);
    expect(waits[19]).toBeLessThan(4_500);
    expect(server.requests).toBe(2);
  }, 15_000);

  it("[T11] are not read without end", async () => {
    const pair = await server.make("k1");
    server.keys.push({ kty: "EC", x: "x".repeat(1_100_000) });
    expect(await refused(trusting(), await sign(pair))).toMatchObject({ cause: "unavailable" });
  });
});
