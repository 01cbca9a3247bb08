import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestId } from "../../src/identity/short-id";
import { signToken, verifyToken } from "../../src/identity/token";
import type { SocketRefusal } from "../../src/platform/edge/refusal";
import { byteLength } from "../../src/protocol/codec";
import { isFinal } from "../../src/protocol/codes";
import type { Hello } from "../../src/room/hello";
import { claims, edgeOf, forge, HOUR_MS, NOW, OTHER_SECRET, SECRET } from "../support/edge";

const KINDS = ["main", "quiz"];
const TAB = "6e1ccf6f-7bd1-4d61-b4b2-2f5d4b3a9e11";

function knock(address: string, env: Record<string, string> = {}, headers: Record<string, string> = {}) {
  const request = new Request(`http://127.0.0.1:1999${address}`, { headers });
  return edgeOf(env, KINDS).socket(request, NOW);
}

async function enter(
  address: string,
  env?: Record<string, string>,
  headers?: Record<string, string>,
): Promise<Hello> {
  const judged = await knock(address, env, headers);
  if (!judged.ok) throw new Error(`refused: ${JSON.stringify(judged)}`);
  return judged.hello;
}

async function refused(address: string, env?: Record<string, string>): Promise<SocketRefusal> {
  const judged = await knock(address, env);
  if (judged.ok) throw new Error(`let in: ${JSON.stringify(judged)}`);
  expect(byteLength(judged.reason), judged.reason).toBeLessThanOrEqual(123);
  expect(judged.retryAfterMs !== undefined, "a time to come back, where coming back helps").toBe(
    !isFinal(judged.code),
  );
  return judged;
}

describe("a room's address", () => {
  it("is /parties/<kind>/<room>", async () => {
    expect(await knock("/parties/main/hall")).toMatchObject({ ok: true, kind: "main", id: "hall" });
    for (const id of ["a", "a.b-c_D9", "...", ".a", "__proto__", "constructor", "r".repeat(64)]) {
      expect(await knock(`/parties/quiz/${id}`)).toMatchObject({ ok: true, kind: "quiz", id });
    }
  });

  it("is nothing else", async () => {
    const others = [
      "/",
      "/parties",
      "/parties/main",
      "/parties/main/",
      "/parties//hall",
      "/parties/main/hall/",
      "/parties/main/hall/x",
      "/parties/main//hall",
      "/party/hall",
      "/Parties/main/hall",
      "//parties/main/hall",
      "/x/parties/main/hall",
      "/parties/main/hall;x",
    ];
    for (const address of others) expect((await refused(address)).code, address).toBe(4404);
  });

  it("names a kind that exists", async () => {
    for (const kind of ["stage", "Main", "__proto__", "constructor", "m%61in", "*"]) {
      expect(await refused(`/parties/${kind}/hall`)).toMatchObject({
        code: 4404,
        reason: "There is no such kind of room.",
      });
    }
  });

  it("has no second spelling for a room", async () => {
    const ids = [
      ".",
      "..",
      "%2e",
      "%2e%2e",
      "h%61ll",
      "%00",
      "a%2fb",
      "a%20b",
      "é",
      "💥",
      "a+b",
      "a:b",
      "a*",
      "r".repeat(65),
    ];
    for (const id of ids) expect((await refused(`/parties/main/${id}`)).code, id).toBe(4404);
  });

  it("has 8,192 characters at most", async () => {
    const address = "http://127.0.0.1:1999/parties/main/hall?x=";
    const fits = `/parties/main/hall?x=${"x".repeat(8_192 - address.length)}`;
    expect(await knock(fits)).toMatchObject({ ok: true });
    expect((await refused(`${fits}x`)).code).toBe(4400);
    expect((await refused(`/parties/main/hall?token=${"x".repeat(20_000)}`)).code).toBe(4400);
    expect((await refused(`/${"x".repeat(20_000)}`)).code).toBe(4400);
  });
});

describe("a socket's query", () => {
  it("speaks version 1, said or not", async () => {
    expect(await knock("/parties/main/hall?v=1")).toMatchObject({ ok: true });
    for (const v of ["0", "2", "1.0", "01", "one", "", "1e0", "%201"]) {
      expect((await refused(`/parties/main/hall?v=${v}`)).code, v).toBe(4400);
    }
  });

  it("says each of our parameters once, and what it likes besides", async () => {
    for (const name of ["_pk", "token", "v", "name", "epoch", "since"]) {
      expect(await refused(`/parties/main/hall?${name}=1&${name}=1`)).toMatchObject({
        code: 4400,
        reason: `The address says ${name} more than once.`,
      });
    }
    expect((await refused(`/parties/main/hall?token=${forge(claims())}&%74oken=x`)).code).toBe(4400);
    expect(await knock("/parties/main/hall?tag=a&tag=b&unknown")).toMatchObject({ ok: true });
  });

  it("names a place to resume from, or none", async () => {
    expect(await enter("/parties/main/hall?epoch=AbC-_9&since=41")).toMatchObject({
      epoch: "AbC-_9",
      since: 41,
    });
    expect(await enter("/parties/main/hall?epoch=AbC&since=0")).toMatchObject({ epoch: "AbC", since: 0 });
    for (const half of ["epoch=AbC", "since=41", "epoch=&since=", "epoch=AbC&since=", "epoch=&since=41"]) {
      const hello = await enter(`/parties/main/hall?${half}`);
      expect([hello.epoch, hello.since], half).toEqual([undefined, undefined]);
    }
  });

  it("is refused with a place that cannot be one", async () => {
    for (const since of [
      "-1",
      "1.5",
      "x",
      "1e3",
      "0x10",
      "9007199254740992",
      "NaN",
      "Infinity",
      "%00",
      "%2B1",
      "%201",
    ]) {
      expect((await refused(`/parties/main/hall?epoch=AbC&since=${since}`)).code, since).toBe(4400);
    }
    for (const epoch of ["%00", "a%20b", "é", "%ED%A0%80", "e".repeat(65)]) {
      expect((await refused(`/parties/main/hall?epoch=${epoch}&since=1`)).code, epoch).toBe(4400);
    }
  });
});

describe("a socket with a token", () => {
  const room = "/parties/main/hall";

  it("is whoever the token says, until it ends", async () => {
    const token = await signToken(
      { user: "ann", name: "Ann Åberg", role: "host", rooms: ["main/h*"] },
      SECRET,
      NOW,
      NOW + HOUR_MS,
    );
    expect(await enter(`${room}?_pk=${TAB}&token=${token}&name=Somebody`)).toEqual({
      conn: expect.stringMatching(/^[\w-]{16}$/),
      user: "ann",
      name: "Ann Åberg",
      role: "host",
      guest: false,
      expiresAt: NOW + HOUR_MS - 500,
      tab: await digestId(TAB),
    });
  });

  it("is told 4401 with a bad token, and never taken for a guest", async () => {
    const { exp, ...endless } = claims();
    const bad = [
      "",
      "x",
      forge(claims(), { secret: OTHER_SECRET }),
      forge(claims(), { header: { alg: "none" } }),
      forge(claims(), { header: { alg: "HS512" } }),
      forge(endless),
      forge(claims({ exp: String(exp) })),
      forge(claims({ exp: Math.floor(NOW / 1000) })),
      forge(claims({ sub: "guest-1" })),
      forge(claims({ sub: "a\u0000" })),
      forge(claims({ role: "host" })),
      forge(claims({ name: "😀".repeat(41) })),
    ];
    for (const token of bad)
      expect((await refused(`${room}?_pk=${TAB}&token=${token}`)).code, token).toBe(4401);
    expect(await refused(`${room}?token=`)).toMatchObject({ reason: "The token is empty." });
  });

  it("is told 4403 with a good token for another room", async () => {
    for (const role of ["player", "host", "admin"]) {
      const token = forge(claims({ role, rooms: ["quiz/*", "main/hal"] }));
      expect((await refused(`${room}?token=${token}`)).code, role).toBe(4403);
      expect(await enter(`/parties/quiz/hall?token=${token}`)).toMatchObject({ role });
    }
    expect((await refused(`${room}?token=${forge(claims({ rooms: [] }))}`)).code).toBe(4403);
  });

  it("keeps a user id as it is, whatever objects are born with", async () => {
    for (const sub of ["__proto__", "constructor", "a b/c?d", "💥"]) {
      expect((await enter(`${room}?token=${forge(claims({ sub }))}`)).user).toBe(sub);
    }
  });

  it("is let in as a guest by a guest's token, as long as there are guests", async () => {
    const { user, token } = await enter(`${room}?_pk=${TAB}&name=Ann`);
    const again = await enter(`${room}?_pk=another-tab&token=${token}&name=Bob`);
    expect(again).toMatchObject({ user, name: "Ann", guest: true });
    expect(again.token, "only a bare guest is given one").toBeUndefined();
    expect((await refused(`${room}?token=${token}`, { GUESTS: "off" })).code).toBe(4401);
  });

  it("gets nothing from headers that pretend to be the edge's", async () => {
    const forged = Buffer.from(JSON.stringify({ user: "root", role: "admin", conn: "mine" })).toString(
      "base64url",
    );
    const hello = await enter(`${room}?token=${forge(claims())}`, {}, { "x-tallyroom-hello": forged });
    expect(hello).toMatchObject({ user: "ann", role: "player" });
    expect(hello.conn).not.toBe("mine");
  });
});

describe("a bare socket", () => {
  const room = "/parties/main/hall";

  it("is a guest, the same whenever the tab is, and is given a token of its own", async () => {
    const first = await enter(`${room}?_pk=${TAB}&name=%20Ann%07%20`);
    expect(first).toMatchObject({
      user: expect.stringMatching(/^guest-[\w-]{16}$/),
      name: "Ann",
      role: "player",
      guest: true,
    });
    expect(first.user).not.toContain(TAB.slice(0, 8));
    const second = await enter(`/parties/quiz/other?_pk=${TAB}`);
    expect(second).toMatchObject({
      user: first.user,
      tab: first.tab,
      name: `Guest${first.user.slice(6, 10)}`,
    });
    expect(second.conn).not.toBe(first.conn);
    expect(await verifyToken(first.token ?? "", SECRET, NOW)).toMatchObject({
      ok: true,
      who: { user: first.user, name: "Ann", guest: true, expiresAt: first.expiresAt },
    });
  });

  it("is a fresh guest each time when its tab's key is short", async () => {
    for (const key of ["", "_pk=", "_pk=1", `_pk=${"x".repeat(19)}`]) {
      const [one, two] = [await enter(`${room}?${key}`), await enter(`${room}?${key}`)];
      expect(one.user, key).not.toBe(two.user);
    }
    const [one, two] = [await enter(`${room}?_pk=1`), await enter(`${room}?_pk=1`)];
    expect(one.tab, "a short key names a tab all the same").toBe(two.tab);
    expect((await enter(room)).tab).not.toBe((await enter(room)).tab);
  });

  it("is called what it likes, cleaned and cut to 40 characters", async () => {
    expect((await enter(`${room}?name=${encodeURIComponent("😀".repeat(41))}`)).name).toBe("😀".repeat(40));
    expect((await enter(`${room}?name=%00%0A%C2%85`)).name).toMatch(/^Guest[\w-]{4}$/);
    expect((await enter(`${room}?name=%ED%A0%80%FF`)).name.isWellFormed()).toBe(true);
  });

  it("is told 4401 where there are no guests", async () => {
    expect(await refused(room, { GUESTS: "off" })).toMatchObject({
      code: 4401,
      reason: "Guests are not let in here: a token is needed.",
    });
  });
});

describe("a server without AUTH_SECRET", () => {
  it("says so, and when to come back", async () => {
    for (const query of ["", `?token=${forge(claims())}`, "?token="]) {
      expect(await refused(`/parties/main/hall${query}`, { AUTH_SECRET: "" })).toMatchObject({
        code: 1012,
        reason: "This server has no AUTH_SECRET, so it cannot tell who is speaking.",
        retryAfterMs: 30_000,
      });
    }
    expect((await refused("/parties/nosuch/hall", { AUTH_SECRET: "" })).code).toBe(4404);
  });
});

it("answers every address with a hello or a refusal, and throws at none", async () => {
  const part = fc.oneof(
    fc.constantFrom("parties", "main", "quiz", "hall", "..", "%2e%2e", "%00", "", "?", "#", "\\", "@", ":"),
    fc.string({ unit: "binary", maxLength: 20 }),
  );
  const query = fc.array(
    fc.tuple(
      fc.constantFrom("_pk", "token", "v", "name", "epoch", "since", "x"),
      fc.string({ unit: "binary", maxLength: 40 }),
    ),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 5 }), query, fc.boolean(), async (parts, pairs, known) => {
      const path = known ? "/parties/main/hall" : `/${parts.join("/")}`;
      const url = new URL("http://127.0.0.1:1999");
      url.pathname = path;
      url.search = pairs.map(([name, value]) => `${name}=${value}`).join("&");
      const judged = await edgeOf({}, KINDS).socket(new Request(url), NOW);
      if (judged.ok) expect([judged.kind, judged.id].join("/")).toMatch(/^(main|quiz)\/[\w.-]{1,64}$/);
      else expect([4400, 4401, 4404]).toContain(judged.code);
    }),
    { numRuns: 2_000 },
  );
});
