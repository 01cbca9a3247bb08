import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signToken, verifyToken } from "../../src/identity/token";
import { forgeToken, HOUR_MS, makeClaims, NOW, OTHER_SECRET, SECRET } from "../support/test-edge";

const verify = (token: string, now = NOW) => verifyToken(token, SECRET, now);

async function expectRejectedReason(token: string, now = NOW): Promise<string> {
  const read = await verify(token, now);
  if (read.ok) throw new Error(`let in: ${JSON.stringify(read.who)}`);
  return read.reason;
}

describe("a valid token", () => {
  it("the token says who the user is", async () => {
    const token = await signToken(
      { user: "ann", name: "Ann", role: "host", rooms: ["main/hall"] },
      SECRET,
      NOW,
      NOW + HOUR_MS,
    );
    expect(await verify(token)).toEqual({
      ok: true,
      who: {
        user: "ann",
        name: "Ann",
        role: "host",
        guest: false,
        rooms: ["main/hall"],
        expiresAt: NOW + HOUR_MS - 500,
      },
    });
  });

  it("the token without a role or name is a player's who is called by the user id, cut to 40 characters", async () => {
    const user = "🎲".repeat(50);
    const read = await verify(forgeToken(makeClaims({ sub: user })));
    expect(read).toMatchObject({
      ok: true,
      who: { user, name: "🎲".repeat(40), role: "player", guest: false },
    });
    expect(read.ok && read.who.rooms).toBeUndefined();
  });

  it("the token may come from any issuer with the secret, with claims that have no meaning here", async () => {
    const token = forgeToken(makeClaims({ iss: "elsewhere", aud: ["others"], custom: { deep: [1] } }), {
      header: { alg: "HS256", typ: "at+jwt", kid: "k1" },
    });
    expect(await verify(token)).toMatchObject({ ok: true, who: { user: "ann" } });
  });

  it("the token is valid as long as it says, to the millisecond", async () => {
    const exp = Math.floor(NOW / 1000) + 10;
    expect(await verify(forgeToken(makeClaims({ exp })), exp * 1000 - 1)).toMatchObject({ ok: true });
    expect(await expectRejectedReason(forgeToken(makeClaims({ exp })), exp * 1000)).toBe(
      "The token has expired.",
    );
    expect(await verify(forgeToken(makeClaims({ exp: exp + 0.25 })), exp * 1000 + 249)).toMatchObject({
      ok: true,
    });
    expect(await expectRejectedReason(forgeToken(makeClaims({ exp: exp + 0.25 })), exp * 1000 + 250)).toBe(
      "The token has expired.",
    );
  });

  it("the token may begin up to a minute ahead of this clock, and no further", async () => {
    const second = Math.floor(NOW / 1000);
    expect(await verify(forgeToken(makeClaims({ nbf: second + 60 })))).toMatchObject({ ok: true });
    expect(await expectRejectedReason(forgeToken(makeClaims({ nbf: second + 61 })))).toBe(
      "The token is not valid yet (nbf).",
    );
  });
});

describe("a token that was made without the secret", () => {
  const notOurs = "This token was not made for this server.";

  it("the server rejects a signature of another key", async () => {
    expect(await expectRejectedReason(forgeToken(makeClaims(), { secret: OTHER_SECRET }))).toBe(notOurs);
  });

  it("the server rejects a token that claims to need no signature", async () => {
    for (const alg of ["none", "None", "NONE", "nOnE", ""]) {
      const signed = forgeToken(makeClaims({ role: "admin" }), { header: { alg } });
      expect(await expectRejectedReason(signed)).toBe(notOurs);
      expect(await expectRejectedReason(signed.replace(/[^.]+$/, ""))).toBe(notOurs);
    }
  });

  it("the server rejects any other algorithm, even if the signature is correct", async () => {
    for (const alg of ["HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", "HS256 ", "dir"]) {
      expect(await expectRejectedReason(forgeToken(makeClaims(), { header: { alg } }))).toBe(notOurs);
    }
    expect(await expectRejectedReason(forgeToken(makeClaims(), { header: { alg: ["HS256"] } }))).toBe(
      notOurs,
    );
    expect(await expectRejectedReason(forgeToken(makeClaims(), { header: {} }))).toBe(notOurs);
  });

  it("the server rejects a token that brings its own key or an unknown extension", async () => {
    const jwk = { kty: "oct", k: Buffer.from(OTHER_SECRET).toString("base64url") };
    expect(
      await expectRejectedReason(
        forgeToken(makeClaims(), { header: { alg: "HS256", jwk }, secret: OTHER_SECRET }),
      ),
    ).toBe(notOurs);
    expect(
      await expectRejectedReason(forgeToken(makeClaims(), { header: { alg: "HS256", crit: ["x"], x: 1 } })),
    ).toBe(notOurs);
    expect(
      await expectRejectedReason(
        forgeToken(makeClaims(), { header: { alg: "HS256", crit: ["b64"], b64: false } }),
      ),
    ).toBe(notOurs);
  });

  it("the token has one spelling: the server skips no character that a decoder would ignore", async () => {
    const token = forgeToken(makeClaims());
    const [header, payload, signature] = token.split(".");
    // The last of 43 characters encodes four bits of the signature, and two that a decoder ignores.
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(token.slice(-1));
    expect((await verify(token)).ok).toBe(true);
    for (const other of [
      ...[1, 2, 3].map((unused) => token.slice(0, -1) + alphabet[last + unused]),
      `${token}=`,
      ` ${token}`,
      `${token}\n`,
      `${token}\t`,
      `${header}.${payload}.${signature?.slice(0, 9)}\n${signature?.slice(9)}`,
      `${header}=.${payload}.${signature}`,
      `${header}. ${payload}.${signature}`,
      `${token}.`,
      `${token}..`,
    ]) {
      expect(await expectRejectedReason(other), JSON.stringify(other)).toBe(
        "This token was not made for this server.",
      );
    }
  });

  it("the server rejects the token if any character of it differs", async () => {
    const token = forgeToken(makeClaims());
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.constantFrom("A", "z", "_", ".", "=", "é"),
        async (at, other) => {
          const changed = token.slice(0, at) + other + token.slice(at + 1);
          const read = await verify(changed);
          expect(read.ok).toBe(changed === token);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("the server rejects any other text, in a sentence that reveals nothing internal", async () => {
    const sentences = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: "binary", maxLength: 200 }),
          fc.array(fc.base64String({ maxLength: 40 }), { maxLength: 5 }).map((parts) => parts.join(".")),
          fc.json().map((text) => `${Buffer.from(text).toString("base64url")}.${text}.x`),
        ),
        async (token) => {
          sentences.add(await expectRejectedReason(token));
        },
      ),
      { numRuns: 500 },
    );
    for (const sentence of sentences) expect(["The token is empty.", notOurs]).toContain(sentence);
  });

  it("the server rejects a payload that is no object, even with a correct signature", async () => {
    for (const payload of ["null", "[]", '"text"', "12", "{", "", "\u0000", "[".repeat(5_000)]) {
      expect(await expectRejectedReason(forgeToken(payload))).toBe(notOurs);
    }
  });
});

describe("a signed token with invalid claims", () => {
  it("the server rejects a token without an end, or with one that is no number", async () => {
    const { exp, ...endless } = makeClaims();
    expect(await expectRejectedReason(forgeToken(endless))).toBe(
      "The token has no expiry time (exp, in seconds).",
    );
    for (const odd of [String(exp), null, true, [exp], { exp }]) {
      expect(await expectRejectedReason(forgeToken(makeClaims({ exp: odd })))).toBe(
        "The token's exp is not a time in seconds.",
      );
    }
    for (const odd of ["1e400", "1e300", "9007199254741"]) {
      expect(await expectRejectedReason(forgeToken(`{"sub":"ann","exp":${odd}}`))).toMatch(
        /has no expiry time/,
      );
    }
    expect(await expectRejectedReason(forgeToken(makeClaims({ exp: 0 })))).toBe("The token has expired.");
    expect(await expectRejectedReason(forgeToken(makeClaims({ exp: -5 })))).toBe("The token has expired.");
  });

  it("the server rejects an invalid user id", async () => {
    const odd = [
      undefined,
      "",
      7,
      null,
      ["ann"],
      { toString: "ann" },
      "a".repeat(129),
      "😀".repeat(129),
      "an\u0000n",
      "an\nn",
      "\u007f",
      "\u009b31m",
    ];
    for (const sub of odd)
      expect(await expectRejectedReason(forgeToken(makeClaims({ sub })))).toMatch(/user id \(sub\)/);
    for (const half of ["\\ud83d", "a\\udc00", "\\udc00\\ud83d"]) {
      expect(await expectRejectedReason(forgeToken(`{"sub":"${half}","exp":${makeClaims().exp}}`))).toMatch(
        /user id \(sub\)/,
      );
    }
  });

  it("the server accepts any other text as a user id and returns it unchanged", async () => {
    for (const sub of [
      "__proto__",
      "constructor",
      "a".repeat(128),
      "😀".repeat(128),
      "a/b?c#d",
      " ",
      "Guest-1",
      "..%2f",
    ]) {
      expect(await verify(forgeToken(makeClaims({ sub })))).toMatchObject({ ok: true, who: { user: sub } });
    }
  });

  it("a prototype in the token has no effect", async () => {
    const token = forgeToken(
      `{"sub":"ann","exp":${makeClaims().exp},"__proto__":{"role":"admin","guest":true}}`,
    );
    expect(await verify(token)).toMatchObject({ ok: true, who: { role: "player", guest: false } });
  });

  it("the server rejects an invalid name", async () => {
    for (const name of ["", 7, null, "😀".repeat(41), "a".repeat(41), "a\u0000", "a\tb", ["Ann"]]) {
      expect(await expectRejectedReason(forgeToken(makeClaims({ name })))).toMatch(
        /name must be 1 to 40 characters/,
      );
    }
    expect(await verify(forgeToken(makeClaims({ name: "😀".repeat(40) })))).toMatchObject({ ok: true });
  });

  it("the server rejects an unknown role", async () => {
    for (const role of ["", "Admin", "owner", null, 1, ["admin"], "__proto__", "toString"]) {
      expect(await expectRejectedReason(forgeToken(makeClaims({ role })))).toMatch(
        /role must be one of player, host, admin/,
      );
    }
  });

  it("the server rejects rooms that are no patterns", async () => {
    for (const rooms of [
      "main/hall",
      null,
      {},
      [7],
      ["hall"],
      ["main/"],
      ["/hall"],
      ["*"],
      ["main/a/b"],
      ["main/hall", ""],
    ]) {
      expect(await expectRejectedReason(forgeToken(makeClaims({ rooms })))).toMatch(
        /rooms must be a list of kind\/id patterns/,
      );
    }
  });

  it("the server rejects a host without rooms", async () => {
    expect(await expectRejectedReason(forgeToken(makeClaims({ role: "host" })))).toBe(
      "A host's token must name its rooms.",
    );
    expect(await expectRejectedReason(forgeToken(makeClaims({ role: "host", rooms: [] })))).toBe(
      "A host's token must name its rooms.",
    );
    expect(await verify(forgeToken(makeClaims({ role: "admin" })))).toMatchObject({
      ok: true,
      who: { role: "admin" },
    });
  });

  it("the server rejects a guest's id in any other token, and a guest's token with another id", async () => {
    const kept = "User ids that begin with guest- are reserved for this server's guests.";
    expect(await expectRejectedReason(forgeToken(makeClaims({ sub: "guest-1" })))).toBe(kept);
    for (const guest of [false, "true", 1, {}]) {
      expect(await expectRejectedReason(forgeToken(makeClaims({ sub: "guest-1", guest })))).toBe(kept);
    }
    expect(await expectRejectedReason(forgeToken(makeClaims({ sub: "ann", guest: true })))).toBe(kept);
    expect(
      await expectRejectedReason(forgeToken(makeClaims({ sub: "guest-1", guest: true, role: "admin" }))),
    ).toBe("A guest's role is player.");
  });
});
