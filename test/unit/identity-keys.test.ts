import { createHmac } from "node:crypto";
import { type CryptoKey, exportJWK, exportSPKI, importJWK, type JWK } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KeyRing } from "../../src/identity/key-ring";
import type { IdentityRejection, UserIdentity } from "../../src/identity/user-identity";
import { Verifier } from "../../src/identity/verifier";
import { AUDIENCE, ISSUER, KeyServer, signIssuerToken } from "../support/key-server";
import { forgeToken, OTHER_SECRET, SECRET } from "../support/test-edge";

const server = new KeyServer();
let skewMs = 0;
const clock = () => Date.now() + skewMs;

beforeEach(async () => {
  skewMs = 0;
  Object.assign(server, { behaviour: "well", requestCount: 0, keys: [] });
  await server.start();
  // The warnings about an unreachable key server are for its operator.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await server.stop();
});

function openVerifier(secret?: string): Verifier {
  const jwks = { url: server.url, issuer: ISSUER, audience: AUDIENCE };
  return new Verifier({ jwks, ...(secret === undefined ? {} : { secret }) }, clock);
}

async function expectUser(verifier: Verifier, token: string): Promise<UserIdentity> {
  const read = await verifier.verify(token, clock());
  if (!read.ok) throw new Error(read.reason);
  return read.who;
}

async function expectRejected(verifier: Verifier, token: string): Promise<IdentityRejection> {
  const read = await verifier.verify(token, clock());
  if (read.ok) throw new Error(`let in: ${JSON.stringify(read.who)}`);
  return read;
}

const NOT_OURS = { cause: "bad", reason: "This token was not made for this server." };

describe("a token of the issuer", () => {
  it.each(["RS256", "PS256", "ES256", "ES384", "EdDSA"])(
    "[T9] the token is accepted with a signature of its key by %s",
    async (alg) => {
      const pair = await server.addKey("k1", alg);
      const token = await signIssuerToken(pair, { name: "Ann", role: "host", rooms: ["main/h*"] });
      expect(await expectUser(openVerifier(), token)).toMatchObject({
        user: "ann",
        name: "Ann",
        role: "host",
        rooms: ["main/h*"],
        guest: false,
      });
    },
  );

  it("[T9] the token is rejected with another issuer or audience, without one, and without an end", async () => {
    const pair = await server.addKey("k1");
    const verifier = openVerifier();
    for (const claims of [
      { iss: "https://other.test/" },
      { iss: undefined },
      { iss: [ISSUER] },
      { aud: "others" },
      { aud: undefined },
      { aud: [] },
      { aud: ["others", AUDIENCE.toUpperCase()] },
    ]) {
      const read = await expectRejected(verifier, await signIssuerToken(pair, claims));
      expect(read, JSON.stringify(claims)).toMatchObject(NOT_OURS);
    }
    expect(await expectRejected(verifier, await signIssuerToken(pair, { exp: undefined }))).toMatchObject({
      cause: "bad",
    });
    expect(
      await expectUser(verifier, await signIssuerToken(pair, { aud: ["others", AUDIENCE] })),
    ).toMatchObject({
      user: "ann",
    });
  });

  it("[T9] the token is rejected with any algorithm but the key's own, and with a public key used as a secret", async () => {
    const pair = await server.addKey("k1", "RS256");
    const verifier = openVerifier(SECRET);
    await expectUser(verifier, await signIssuerToken(pair));
    const privateJwk = await exportJWK(pair.privateKey);
    for (const alg of ["RS384", "RS512", "PS256"]) {
      const privateKey = (await importJWK(privateJwk, alg)) as CryptoKey;
      expect(
        await expectRejected(verifier, await signIssuerToken({ ...pair, privateKey, alg })),
        alg,
      ).toMatchObject(NOT_OURS);
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
        expect(await expectRejected(verifier, forgeToken(claims, { header, secret })), alg).toMatchObject(
          NOT_OURS,
        );
      }
    }
    const unsigned = forgeToken(claims, { header: { alg: "none", kid: "k1" } }).replace(/[^.]+$/, "");
    expect(await expectRejected(verifier, unsigned)).toMatchObject(NOT_OURS);
    const odd = createHmac("sha256", pem).update("x").digest("base64url");
    expect(await expectRejected(verifier, `e30.e30.${odd}`)).toMatchObject(NOT_OURS);
  });

  it("[T9] keys that are no public signing keys verify no token", async () => {
    const bad = [
      await server.addKey("enc", "ES256", { use: "enc" } as JWK),
      await server.addKey("ops", "ES256", { key_ops: ["sign"] } as JWK),
      await server.addKey("mis", "ES256", { alg: "RS256" } as JWK),
      await server.addKey("prv", "ES256", { d: "AAAA" } as JWK),
    ];
    server.keys.push({ kty: "oct", k: Buffer.from(SECRET).toString("base64url"), kid: "oct", alg: "HS256" });
    server.keys.push({ kty: "EC", crv: "P-256", x: "!", y: "?", kid: "nonsense" });
    server.keys.push(null as unknown as JWK, "key" as unknown as JWK, {
      kty: "RSA",
      n: "AQAB",
      e: "AQAB",
      kid: "tiny",
    });
    const good = await server.addKey("good");
    const verifier = openVerifier();
    for (const pair of bad)
      expect(await expectRejected(verifier, await signIssuerToken(pair)), pair.kid).toMatchObject(NOT_OURS);
    const header = { alg: "HS256", kid: "oct" };
    expect(await expectRejected(verifier, forgeToken({ sub: "ann", exp: 9e9 }, { header }))).toMatchObject(
      NOT_OURS,
    );
    expect(await expectUser(verifier, await signIssuerToken(good))).toMatchObject({ user: "ann" });
  });

  it("[T9] the token names its key, unless the issuer has only one", async () => {
    const pair = await server.addKey("k1");
    const nameless = await signIssuerToken(pair, {}, Date.now(), { kid: undefined });
    expect(await expectUser(openVerifier(), nameless)).toMatchObject({ user: "ann" });
    await server.addKey("k2");
    expect(await expectRejected(openVerifier(), nameless)).toMatchObject(NOT_OURS);
  });

  it("[T4] the token is never a guest's", async () => {
    const pair = await server.addKey("k1");
    for (const claims of [{ sub: "guest-1" }, { sub: "guest-1", guest: true }]) {
      expect(await expectRejected(openVerifier(), await signIssuerToken(pair, claims))).toMatchObject({
        cause: "bad",
      });
    }
  });

  it("[T10] the token may come from an issuer whose clock is a minute ahead, but its end has no tolerance", async () => {
    const pair = await server.addKey("k1");
    const second = Math.floor(clock() / 1000);
    const verifier = openVerifier();
    const ahead = { nbf: second + 58, iat: second + 58, exp: second + 3_600 };
    expect(await expectUser(verifier, await signIssuerToken(pair, ahead))).toMatchObject({ user: "ann" });
    expect(await expectRejected(verifier, await signIssuerToken(pair, { nbf: second + 65 }))).toMatchObject({
      cause: "bad",
      reason: "The token is not valid yet (nbf).",
    });
    expect(await expectRejected(verifier, await signIssuerToken(pair, { exp: second }))).toMatchObject({
      cause: "ended",
    });
  });

  it("tokens of the shared secret are accepted as well, and need no issuer", async () => {
    const pair = await server.addKey("k1");
    const both = openVerifier(SECRET);
    const shared = forgeToken({ sub: "bob", exp: Math.floor(clock() / 1000) + 60 });
    expect(await expectUser(both, await signIssuerToken(pair))).toMatchObject({ user: "ann" });
    expect(await expectUser(both, shared)).toMatchObject({ user: "bob" });
    expect(await expectRejected(openVerifier(), shared)).toMatchObject(NOT_OURS);
    expect(await expectRejected(new Verifier({ secret: SECRET }), await signIssuerToken(pair))).toMatchObject(
      NOT_OURS,
    );
  });
});

describe("the issuer's keys", () => {
  it("[T11] the keys are fetched once for any number of simultaneous requests", async () => {
    const pair = await server.addKey("k1");
    server.behaviour = "slow";
    const verifier = openVerifier();
    const tokens = await Promise.all(
      Array.from({ length: 50 }, (_, n) => signIssuerToken(pair, { sub: `u${n}` })),
    );
    const read = await Promise.all(tokens.map((token) => expectUser(verifier, token)));
    expect(read.map(({ user }) => user)).toEqual(tokens.map((_, n) => `u${n}`));
    expect(server.requestCount).toBe(1);
  });

  it("[T11] the keys are fetched again if a token names a new one, and strangers cannot turn that into a flood", async () => {
    const old = await server.addKey("old");
    const verifier = openVerifier();
    await expectUser(verifier, await signIssuerToken(old));
    const young = await server.addKey("young");
    expect(await expectUser(verifier, await signIssuerToken(young))).toMatchObject({ user: "ann" });
    expect(server.requestCount).toBe(2);
    const answers = [];
    for (let n = 0; n < 40; n++) {
      const stranger = { ...young, kid: `nobody-${n}` };
      answers.push(await expectRejected(verifier, await signIssuerToken(stranger)));
    }
    expect(server.requestCount).toBe(5);
    expect(answers.slice(0, 3)).toMatchObject([NOT_OURS, NOT_OURS, NOT_OURS]);
    // The token is not known to be bad, because the newest set was not fetched. The answer says when it will be.
    expect(answers.at(-1)).toMatchObject({ cause: "unavailable" });
    const last = answers.at(-1);
    if (last?.cause !== "unavailable") throw new Error("no time to come back");
    expect(last.retryAfterMs).toBeGreaterThan(25_000);
    expect(await expectUser(verifier, await signIssuerToken(young, { sub: "bob" }))).toMatchObject({
      user: "bob",
    });
    skewMs = last.retryAfterMs;
    const late = await server.addKey("late");
    expect(await expectUser(verifier, await signIssuerToken(late))).toMatchObject({ user: "ann" });
  });

  it("[T11] withdrawn keys are valid for ten minutes more at most, even for a token that is cached as valid", async () => {
    const pair = await server.addKey("k1");
    const kept = await server.addKey("k2");
    const verifier = openVerifier();
    const token = await signIssuerToken(pair);
    await expectUser(verifier, token);
    server.removeKey("k1");
    skewMs = 599_000;
    expect(await expectUser(verifier, token)).toMatchObject({ user: "ann" });
    skewMs = 601_000;
    // Another user's token makes the server fetch the set, and the cached token becomes invalid with its key.
    await expectUser(verifier, await signIssuerToken(kept, { exp: clock() / 1000 + 60 }));
    expect(await expectRejected(verifier, token)).toMatchObject(NOT_OURS);
  });

  it("[T11] a key whose name another key has taken over is withdrawn like any other", async () => {
    const lost = await server.addKey("k1");
    const kept = await server.addKey("k2");
    const verifier = openVerifier();
    await expectUser(verifier, await signIssuerToken(lost));
    server.removeKey("k1");
    const next = await server.addKey("k1");
    skewMs = 599_000;
    const cached = await signIssuerToken(lost, { sub: "bob" });
    await expectUser(verifier, cached);
    skewMs = 601_000;
    await expectUser(verifier, await signIssuerToken(kept, { exp: clock() / 1000 + 60 }));
    expect(await expectRejected(verifier, cached)).toMatchObject(NOT_OURS);
    expect(await expectUser(verifier, await signIssuerToken(next))).toMatchObject({ user: "ann" });
  });

  it("[T11] the server waits three seconds at most for keys that are unavailable at the start, and gets them later", async () => {
    const pair = await server.addKey("k1");
    const token = await signIssuerToken(pair);
    server.behaviour = "silent";
    const verifier = openVerifier();
    const startedAt = Date.now();
    const [one, two] = await Promise.all([expectRejected(verifier, token), expectRejected(verifier, token)]);
    const took = Date.now() - startedAt;
    expect(took).toBeGreaterThan(2_500);
    expect(took).toBeLessThan(4_500);
    expect([one.cause, two.cause]).toEqual(["unavailable", "unavailable"]);
    expect(verifier.state.keys).toMatchObject({ known: 0, problem: expect.stringContaining("3000 ms") });
    server.behaviour = "well";
    // The key server is left alone for a moment: requests meanwhile are answered at once.
    const again = await expectRejected(verifier, token);
    expect(Date.now() - startedAt - took).toBeLessThan(1_000);
    if (again.cause !== "unavailable") throw new Error("no time to come back");
    expect(server.requestCount).toBe(1);
    skewMs = again.retryAfterMs;
    expect(await expectUser(verifier, token)).toMatchObject({ user: "ann" });
    expect(verifier.state.keys).toEqual({ known: 1, requests: 2 });
  }, 15_000);

  it("[T11] waiting requests do not fetch the keys again if the first fetch ends a little late", async () => {
    server.behaviour = "slow";
    let now = 1_000_000;
    const ring = new KeyRing(server.url, undefined, () => now);
    const first = ring.find("k1", "ES256");
    now += 1;
    const second = ring.find("k1", "ES256");
    // The first request's time is over, the second's is not, and the response is still to come.
    now += 2_999;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(ring.requests).toBe(1);
    now += 1;
    expect(await second).toMatchObject({ ok: false });
    expect(await first).toMatchObject({ ok: false });
    expect(ring.requests).toBe(1);
  });

  it.each(["failing", "garbage", "moved", "down"] as const)(
    "[T11] the keys stay valid for a day while their server behaves as `%s`",
    async (mood) => {
      const pair = await server.addKey("k1");
      const verifier = openVerifier();
      await expectUser(verifier, await signIssuerToken(pair));
      if (mood === "down") await server.stop();
      else server.behaviour = mood;
      for (const laterMs of [700_000, 3_600_000, 86_000_000]) {
        skewMs = laterMs;
        const token = await signIssuerToken(pair, {}, clock());
        expect(await expectUser(verifier, token), `${laterMs}`).toMatchObject({ user: "ann" });
      }
      expect(verifier.state.keys?.problem).toMatch(/^The keys of AUTH_JWKS_URL cannot be fetched: [^/]*\.$/);
      skewMs = 86_500_000;
      expect(await expectRejected(verifier, await signIssuerToken(pair, {}, clock()))).toMatchObject({
        cause: "unavailable",
      });
      if (mood === "down") await server.start();
    },
  );

  it("[T11] the keys stay known if their server has become slow: only one request waits, and not for long", async () => {
    const pair = await server.addKey("k1");
    const verifier = openVerifier();
    await expectUser(verifier, await signIssuerToken(pair));
    server.behaviour = "silent";
    skewMs = 700_000;
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, n) => signIssuerToken(pair, { sub: `u${n}` }, clock())),
    );
    const startedAt = Date.now();
    const waits = await Promise.all(
      tokens.map((token) => expectUser(verifier, token).then(() => Date.now() - startedAt)),
    );
    waits.sort((a, b) => a - b);
    expect(waits[18]).toBeLessThan(1_500);
    expect(waits[19]).toBeLessThan(4_500);
    expect(server.requestCount).toBe(2);
  }, 15_000);

  it("[T11] the server stops reading a response that does not end", async () => {
    const pair = await server.addKey("k1");
    server.keys.push({ kty: "EC", x: "x".repeat(1_100_000) });
    expect(await expectRejected(openVerifier(), await signIssuerToken(pair))).toMatchObject({
      cause: "unavailable",
    });
  });
});
