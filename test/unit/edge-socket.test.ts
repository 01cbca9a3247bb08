import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SocketRejection } from "../../src/edge/socket-rejection";
import { signToken, verifyToken } from "../../src/identity/token";
import { digestId } from "../../src/lib/ids";
import { byteLength } from "../../src/protocol/codec";
import { isFinal } from "../../src/protocol/codes";
import type { JoinTicket } from "../../src/room/inbound/join-ticket";
import {
  forgeToken,
  HOUR_MS,
  makeClaims,
  NOW,
  OTHER_SECRET,
  openTestEdge,
  SECRET,
} from "../support/test-edge";

const KINDS = ["main", "quiz"];
const TAB = "6e1ccf6f-7bd1-4d61-b4b2-2f5d4b3a9e11";

function requestSocket(
  address: string,
  env: Record<string, string> = {},
  headers: Record<string, string> = {},
) {
  const request = new Request(`http://127.0.0.1:1999${address}`, { headers });
  return openTestEdge(env, KINDS).authorizeSocket(request, NOW);
}

async function expectAdmitted(
  address: string,
  env?: Record<string, string>,
  headers?: Record<string, string>,
): Promise<JoinTicket> {
  const judged = await requestSocket(address, env, headers);
  if (!judged.ok) throw new Error(`refused: ${JSON.stringify(judged)}`);
  return judged.ticket;
}

async function expectRejected(address: string, env?: Record<string, string>): Promise<SocketRejection> {
  const judged = await requestSocket(address, env);
  if (judged.ok) throw new Error(`let in: ${JSON.stringify(judged)}`);
  expect(byteLength(judged.reason), judged.reason).toBeLessThanOrEqual(123);
  expect(judged.retryAfterMs !== undefined, "a time to come back if coming back helps").toBe(
    !isFinal(judged.closeCode),
  );
  return judged;
}

describe("a room's address", () => {
  it("a room's address is /parties/<kind>/<room>", async () => {
    expect(await requestSocket("/parties/main/hall")).toMatchObject({ ok: true, kind: "main", id: "hall" });
    for (const id of ["a", "a.b-c_D9", "...", ".a", "__proto__", "constructor", "r".repeat(64)]) {
      expect(await requestSocket(`/parties/quiz/${id}`)).toMatchObject({ ok: true, kind: "quiz", id });
    }
  });

  it("any other path is rejected", async () => {
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
    for (const address of others) expect((await expectRejected(address)).closeCode, address).toBe(4404);
  });

  it("the address must name an existing kind", async () => {
    for (const kind of ["stage", "Main", "__proto__", "constructor", "m%61in", "*"]) {
      expect(await expectRejected(`/parties/${kind}/hall`)).toMatchObject({
        closeCode: 4404,
        reason: "There is no such kind of room.",
      });
    }
  });

  it("a room has no second spelling", async () => {
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
    for (const id of ids) expect((await expectRejected(`/parties/main/${id}`)).closeCode, id).toBe(4404);
  });

  it("the address has 8,192 characters at most", async () => {
    const address = "http://127.0.0.1:1999/parties/main/hall?x=";
    const fits = `/parties/main/hall?x=${"x".repeat(8_192 - address.length)}`;
    expect(await requestSocket(fits)).toMatchObject({ ok: true });
    expect((await expectRejected(`${fits}x`)).closeCode).toBe(4400);
    expect((await expectRejected(`/parties/main/hall?token=${"x".repeat(20_000)}`)).closeCode).toBe(4400);
    expect((await expectRejected(`/${"x".repeat(20_000)}`)).closeCode).toBe(4400);
  });
});

describe("a socket's query", () => {
  it("the query speaks version 1, with or without saying so", async () => {
    expect(await requestSocket("/parties/main/hall?v=1")).toMatchObject({ ok: true });
    for (const v of ["0", "2", "1.0", "01", "one", "", "1e0", "%201"]) {
      expect((await expectRejected(`/parties/main/hall?v=${v}`)).closeCode, v).toBe(4400);
    }
  });

  it("the query names each of our parameters once, and may have others", async () => {
    for (const name of ["_pk", "token", "v", "name", "epoch", "since"]) {
      expect(await expectRejected(`/parties/main/hall?${name}=1&${name}=1`)).toMatchObject({
        closeCode: 4400,
        reason: `The address says ${name} more than once.`,
      });
    }
    expect(
      (await expectRejected(`/parties/main/hall?token=${forgeToken(makeClaims())}&%74oken=x`)).closeCode,
    ).toBe(4400);
    expect(await requestSocket("/parties/main/hall?tag=a&tag=b&unknown")).toMatchObject({ ok: true });
  });

  it("the query names a cursor to resume from, or none", async () => {
    expect(await expectAdmitted("/parties/main/hall?epoch=AbC-_9&since=41")).toMatchObject({
      epoch: "AbC-_9",
      since: 41,
    });
    expect(await expectAdmitted("/parties/main/hall?epoch=AbC&since=0")).toMatchObject({
      epoch: "AbC",
      since: 0,
    });
    for (const half of ["epoch=AbC", "since=41", "epoch=&since=", "epoch=AbC&since=", "epoch=&since=41"]) {
      const ticket = await expectAdmitted(`/parties/main/hall?${half}`);
      expect([ticket.epoch, ticket.since], half).toEqual([undefined, undefined]);
    }
  });

  it("an invalid cursor is rejected", async () => {
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
      expect((await expectRejected(`/parties/main/hall?epoch=AbC&since=${since}`)).closeCode, since).toBe(
        4400,
      );
    }
    for (const epoch of ["%00", "a%20b", "é", "%ED%A0%80", "e".repeat(65)]) {
      expect((await expectRejected(`/parties/main/hall?epoch=${epoch}&since=1`)).closeCode, epoch).toBe(4400);
    }
  });
});

describe("a socket with a token", () => {
  const room = "/parties/main/hall";

  it("the socket belongs to the token's user, until the token ends", async () => {
    const token = await signToken(
      { user: "ann", name: "Ann Åberg", role: "host", rooms: ["main/h*"] },
      SECRET,
      NOW,
      NOW + HOUR_MS,
    );
    expect(await expectAdmitted(`${room}?_pk=${TAB}&token=${token}&name=Somebody`)).toEqual({
      conn: expect.stringMatching(/^[\w-]{16}$/),
      user: "ann",
      name: "Ann Åberg",
      role: "host",
      guest: false,
      expiresAt: NOW + HOUR_MS - 500,
      tab: await digestId(TAB),
    });
  });

  it("a bad token gets 4401, and never becomes a guest", async () => {
    const { exp, ...endless } = makeClaims();
    const bad = [
      "",
      "x",
      forgeToken(makeClaims(), { secret: OTHER_SECRET }),
      forgeToken(makeClaims(), { header: { alg: "none" } }),
      forgeToken(makeClaims(), { header: { alg: "HS512" } }),
      forgeToken(endless),
      forgeToken(makeClaims({ exp: String(exp) })),
      forgeToken(makeClaims({ exp: Math.floor(NOW / 1000) })),
      forgeToken(makeClaims({ sub: "guest-1" })),
      forgeToken(makeClaims({ sub: "a\u0000" })),
      forgeToken(makeClaims({ role: "host" })),
      forgeToken(makeClaims({ name: "😀".repeat(41) })),
    ];
    for (const token of bad)
      expect((await expectRejected(`${room}?_pk=${TAB}&token=${token}`)).closeCode, token).toBe(4401);
    expect(await expectRejected(`${room}?token=`)).toMatchObject({ reason: "The token is empty." });
  });

  it("a valid token for another room gets 4403", async () => {
    for (const role of ["player", "host", "admin"]) {
      const token = forgeToken(makeClaims({ role, rooms: ["quiz/*", "main/hal"] }));
      expect((await expectRejected(`${room}?token=${token}`)).closeCode, role).toBe(4403);
      expect(await expectAdmitted(`/parties/quiz/hall?token=${token}`)).toMatchObject({ role });
    }
    expect((await expectRejected(`${room}?token=${forgeToken(makeClaims({ rooms: [] }))}`)).closeCode).toBe(
      4403,
    );
  });

  it("a user id stays as it is, even if it is named like a member of an object's prototype", async () => {
    for (const sub of ["__proto__", "constructor", "a b/c?d", "💥"]) {
      expect((await expectAdmitted(`${room}?token=${forgeToken(makeClaims({ sub }))}`)).user).toBe(sub);
    }
  });

  it("a guest's token is accepted while guests are on", async () => {
    const { user, token } = await expectAdmitted(`${room}?_pk=${TAB}&name=Ann`);
    const again = await expectAdmitted(`${room}?_pk=another-tab&token=${token}&name=Bob`);
    expect(again).toMatchObject({ user, name: "Ann", guest: true });
    expect(again.token, "only a guest without a token gets one").toBeUndefined();
    expect((await expectRejected(`${room}?token=${token}`, { GUESTS: "off" })).closeCode).toBe(4401);
  });

  it("headers that pretend to come from the edge have no effect", async () => {
    const forged = Buffer.from(JSON.stringify({ user: "root", role: "admin", conn: "mine" })).toString(
      "base64url",
    );
    const ticket = await expectAdmitted(
      `${room}?token=${forgeToken(makeClaims())}`,
      {},
      { "x-tallyroom-hello": forged },
    );
    expect(ticket).toMatchObject({ user: "ann", role: "player" });
    expect(ticket.conn).not.toBe("mine");
  });
});

describe("a socket without a token", () => {
  const room = "/parties/main/hall";

  it("the socket belongs to a guest, who is the same for the same tab and gets a token", async () => {
    const first = await expectAdmitted(`${room}?_pk=${TAB}&name=%20Ann%07%20`);
    expect(first).toMatchObject({
      user: expect.stringMatching(/^guest-[\w-]{16}$/),
      name: "Ann",
      role: "player",
      guest: true,
    });
    expect(first.user).not.toContain(TAB.slice(0, 8));
    const second = await expectAdmitted(`/parties/quiz/other?_pk=${TAB}`);
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

  it("a short tab key gives a new guest each time", async () => {
    for (const key of ["", "_pk=", "_pk=1", `_pk=${"x".repeat(19)}`]) {
      const [one, two] = [await expectAdmitted(`${room}?${key}`), await expectAdmitted(`${room}?${key}`)];
      expect(one.user, key).not.toBe(two.user);
    }
    const [one, two] = [await expectAdmitted(`${room}?_pk=1`), await expectAdmitted(`${room}?_pk=1`)];
    expect(one.tab, "a short key still names a tab").toBe(two.tab);
    expect((await expectAdmitted(room)).tab).not.toBe((await expectAdmitted(room)).tab);
  });

  it("the guest may choose a name, which is cleaned and cut to 40 characters", async () => {
    expect((await expectAdmitted(`${room}?name=${encodeURIComponent("😀".repeat(41))}`)).name).toBe(
      "😀".repeat(40),
    );
    expect((await expectAdmitted(`${room}?name=%00%0A%C2%85`)).name).toMatch(/^Guest[\w-]{4}$/);
    expect((await expectAdmitted(`${room}?name=%ED%A0%80%FF`)).name.isWellFormed()).toBe(true);
  });

  it("the socket gets 4401 if guests are off", async () => {
    expect(await expectRejected(room, { GUESTS: "off" })).toMatchObject({
      closeCode: 4401,
      reason: "Guests are not let in here: a token is needed.",
    });
  });
});

describe("a server without AUTH_SECRET", () => {
  it("the server says so, and when to come back", async () => {
    for (const query of ["", `?token=${forgeToken(makeClaims())}`, "?token="]) {
      expect(await expectRejected(`/parties/main/hall${query}`, { AUTH_SECRET: "" })).toMatchObject({
        closeCode: 1012,
        reason: "This server has no AUTH_SECRET, so it cannot tell who is speaking.",
        retryAfterMs: 30_000,
      });
    }
    expect((await expectRejected("/parties/nosuch/hall", { AUTH_SECRET: "" })).closeCode).toBe(4404);
  });
});

it("the server answers every URL with a join ticket or a rejection, and throws at none", async () => {
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
      const judged = await openTestEdge({}, KINDS).authorizeSocket(new Request(url), NOW);
      if (judged.ok) expect([judged.kind, judged.id].join("/")).toMatch(/^(main|quiz)\/[\w.-]{1,64}$/);
      else expect([4400, 4401, 4404]).toContain(judged.closeCode);
    }),
    { numRuns: 2_000 },
  );
});
