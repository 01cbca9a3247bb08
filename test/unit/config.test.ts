import { describe, expect, it } from "vitest";
import { type Config, readConfig } from "../../src/config/config";

function readConfigOrThrow(env: Record<string, unknown>): Config {
  const read = readConfig(env);
  if (!read.ok) throw new Error(read.problems.join(" "));
  return read.config;
}

function readProblems(env: Record<string, unknown>): string[] {
  const read = readConfig(env);
  return read.ok ? [] : read.problems;
}

const DAY_MS = 86_400_000;

describe("an environment", () => {
  it("an empty environment gives every default of the protocol, and no guests", () => {
    expect(readConfigOrThrow({})).toEqual({
      guests: false,
      allowedOrigins: [],
      room: {
        idleMs: 900_000,
        recoveryMs: 120_000,
        leaveGraceMs: 5_000,
        maxUsers: 1_000,
        flushMs: 5_000,
        actionRate: { count: 50, perMs: 1_000 },
        rules: {},
      },
      boardTtlMs: 60_000,
      boardKeepMs: { day: 90 * DAY_MS, week: 366 * DAY_MS, season: null, room: 30 * DAY_MS },
      maxRooms: 10_000,
      debugRooms: false,
      limits: {
        connect: { count: 120, perMs: 60_000 },
        newRoom: { count: 10, perMs: 900_000 },
        guest: { count: 60, perMs: 900_000 },
        failedToken: { count: 20, perMs: 900_000 },
        read: { count: 1_000, perMs: 60_000 },
        readMiss: { count: 100, perMs: 60_000 },
        live: { count: 200, perMs: 3_600_000 },
      },
      networkLimits: {
        connect: { count: 1_200, perMs: 60_000 },
        newRoom: { count: 50, perMs: 900_000 },
        guest: { count: 600, perMs: 900_000 },
        failedToken: { count: 200, perMs: 900_000 },
        read: { count: 10_000, perMs: 60_000 },
        readMiss: { count: 1_000, perMs: 60_000 },
        live: { count: 2_000, perMs: 3_600_000 },
      },
    });
  });

  it("each variable changes its value", () => {
    expect(
      readConfigOrThrow({
        AUTH_SECRET: "s".repeat(32),
        BATCH_SECRET: "b".repeat(32),
        AUTH_JWKS_URL: "https://id.example.org/keys",
        AUTH_ISSUER: "https://id.example.org/",
        AUTH_AUDIENCE: "tallyroom",
        GUESTS: "on",
        ALLOWED_ORIGINS: "https://Play.example.org, http://localhost:3000/",
        SCOREBOARD_URL: "http://127.0.0.1:8787/",
        ROOMS_URL: "https://rooms.example.org/base/",
        IDLE_MS: "1000",
        RECOVERY_MS: "0",
        LEAVE_GRACE_MS: " 250 ",
        MAX_USERS: 20,
        ACTION_LIMIT: "0",
        CHAT_LIMIT: "3/0.5",
        FLUSH_MS: "100",
        BOARD_TTL_MS: "0",
        BOARD_RETENTION: "day=7, season=400,room=0",
        MAX_ROOMS: "5",
        CONNECT_LIMIT: "1/1",
        NEW_ROOM_LIMIT: "2/2",
        GUEST_LIMIT: "3/3",
        FAILED_TOKEN_LIMIT: "4/4",
        READ_LIMIT: "5/5",
        LIVE_LIMIT: "6/6",
        NETWORK_LIMITS: "newRoom=8/9, guest=0",
      }),
    ).toEqual({
      authSecret: "s".repeat(32),
      batchSecret: "b".repeat(32),
      jwks: { url: "https://id.example.org/keys", issuer: "https://id.example.org/", audience: "tallyroom" },
      guests: true,
      allowedOrigins: ["https://play.example.org", "http://localhost:3000"],
      scoreboardUrl: "http://127.0.0.1:8787",
      roomsUrl: "https://rooms.example.org/base",
      room: {
        idleMs: 1_000,
        recoveryMs: 0,
        leaveGraceMs: 250,
        maxUsers: 20,
        flushMs: 100,
        actionRate: null,
        rules: { "chat.say": { count: 3, perMs: 500 } },
      },
      boardTtlMs: 0,
      boardKeepMs: { day: 7 * DAY_MS, week: 366 * DAY_MS, season: 400 * DAY_MS, room: null },
      maxRooms: 5,
      debugRooms: false,
      limits: {
        connect: { count: 1, perMs: 1_000 },
        newRoom: { count: 2, perMs: 2_000 },
        guest: { count: 3, perMs: 3_000 },
        failedToken: { count: 4, perMs: 4_000 },
        read: { count: 5, perMs: 5_000 },
        readMiss: { count: 1, perMs: 5_000 },
        live: { count: 6, perMs: 6_000 },
      },
      networkLimits: {
        connect: { count: 10, perMs: 1_000 },
        newRoom: { count: 8, perMs: 9_000 },
        guest: null,
        failedToken: { count: 40, perMs: 4_000 },
        read: { count: 50, perMs: 5_000 },
        readMiss: { count: 10, perMs: 5_000 },
        live: { count: 60, perMs: 6_000 },
      },
    });
  });

  it("an empty variable counts as unset, and unknown variables are ignored", () => {
    expect(
      readConfigOrThrow({
        AUTH_SECRET: "",
        GUESTS: " ",
        FLUSH_MS: undefined,
        IDLE_MS: null,
        SOMETHING: "else",
        ROOMS: {},
      }),
    ).toEqual(readConfigOrThrow({}));
  });

  it("every byte of a secret is kept, including space around it", () => {
    const secret = ` ${"s".repeat(31)}\n`;
    expect(readConfigOrThrow({ AUTH_SECRET: secret }).authSecret).toBe(secret);
  });

  it("the value 0 turns a limit off, and chat's limit has its own variable", () => {
    const off = readConfigOrThrow({
      CHAT_LIMIT: "0",
      READ_LIMIT: "0",
      CONNECT_LIMIT: "0",
      NEW_ROOM_LIMIT: 0,
    });
    expect(off.room.rules).toEqual({ "chat.say": null });
    expect(off.limits).toMatchObject({ read: null, readMiss: null, connect: null, newRoom: null });
  });
});

describe("NETWORK_LIMITS", () => {
  it("[L7] the network limit follows the limit of an IP address, even if that is off, and never exceeds what a window can store", () => {
    const { networkLimits } = readConfigOrThrow({ READ_LIMIT: "0", CONNECT_LIMIT: "90000/60" });
    expect(networkLimits).toMatchObject({
      read: null,
      readMiss: null,
      connect: { count: 100_000, perMs: 60_000 },
    });
  });

  it("[L7] the variable sets a network limit where the IP address has none", () => {
    const { limits, networkLimits } = readConfigOrThrow({
      NEW_ROOM_LIMIT: "0",
      NETWORK_LIMITS: "newRoom=5/60",
    });
    expect([limits.newRoom, networkLimits.newRoom]).toEqual([null, { count: 5, perMs: 60_000 }]);
  });

  it.each([
    "newRoom",
    "newRoom=",
    "newRoom=5",
    "rooms=5/60",
    "newRoom=5/60;guest=0",
    "chat.say=5/60",
    "toString=0",
  ])("%s is rejected with what is expected", (value) => {
    const read = readConfig({ NETWORK_LIMITS: value });
    expect(read.ok ? [] : read.problems).toEqual([
      "NETWORK_LIMITS must be a list of rule=count/seconds with commas between them, such as newRoom=30/900,guest=0. Rules: connect, newRoom, guest, failedToken, read, readMiss, live.",
    ]);
  });
});

describe("RULE_LIMITS", () => {
  it("the variable sets any rule of a feature, for all kinds of room or for one", () => {
    const { rules } = readConfigOrThrow({
      RULE_LIMITS: "presence.set=5/10, quiz:chat.say=0,chat.say=3/1.5",
      CHAT_LIMIT: "1/1",
    }).room;
    expect(rules).toEqual({
      "presence.set": { count: 5, perMs: 10_000 },
      "quiz:chat.say": null,
      "chat.say": { count: 3, perMs: 1_500 },
    });
  });

  it("the variable leaves the rules of an unknown feature to that feature", () => {
    expect(readConfigOrThrow({ RULE_LIMITS: "race.steer=60/1" }).room.rules).toEqual({
      "race.steer": { count: 60, perMs: 1_000 },
    });
  });

  it("an invalid value is answered with a sentence", () => {
    for (const value of [
      "chat.say",
      "chat.say=",
      "chat.say=off",
      "say=1/1",
      "chat.say=1/1;x.y=1/1",
      "__proto__=1/1",
      "A:b.c=1/1",
      "chat.sya=1/1",
      "main:presence.update=1/1",
      "scores.toString=1/1",
    ]) {
      expect(readProblems({ RULE_LIMITS: value }), value).toEqual([
        expect.stringMatching(/^RULE_LIMITS must .*\.$/),
      ]);
    }
  });
});

describe("an invalid value", () => {
  it("the answer is a sentence that names its variable", () => {
    const odd: Record<string, unknown[]> = {
      AUTH_SECRET: ["short", "x".repeat(31), {}],
      BATCH_SECRET: ["short", []],
      GUESTS: ["yes", "ON", "true", true, 1],
      ALLOWED_ORIGINS: [
        "example.org",
        "*",
        "https://a.org/path",
        "ftp://a.org",
        "https://user@a.org",
        "null",
        "https://*.example.org",
        "https://a.org:99999",
        "https://[::1",
        "https://a.org, b.org",
      ],
      BATCH_SECRET_OLD: ["short", "x".repeat(16)],
      SCOREBOARD_URL: [
        "example.org",
        "ws://a.org",
        "https://",
        "https://u:p@a.org",
        "https://a.org?x",
        "https://a b.org",
        "https://[",
        "http://a.org:65536",
        "http://%",
      ],
      ROOMS_URL: ["//a.org", "https://a.org#x", "http://[::1", "http://a:b"],
      IDLE_MS: ["0", "-1", "1.5", "soon", "1e3", "0x10", "2147483648", "NaN", {}],
      RECOVERY_MS: ["-1", "2 min"],
      LEAVE_GRACE_MS: ["5s"],
      FLUSH_MS: ["-0"],
      BOARD_TTL_MS: ["Infinity"],
      BOARD_RETENTION: ["day", "day=6", "day=-1", "month=30", "day:90", "day=1e3", "day=90;room=30"],
      MAX_USERS: ["0", "32769", "many"],
      MAX_ROOMS: ["0", "1000001"],
    };
    const rates = [
      "10",
      "10/",
      "/60",
      "0/60",
      "10/0",
      "10/60/1",
      "-1/60",
      "1.5/60",
      "10/1e3",
      "off",
      "10 / 60",
      "100001/60",
    ];
    for (const name of ["CHAT", "ACTION", "CONNECT", "NEW_ROOM", "GUEST", "FAILED_TOKEN", "READ"]) {
      odd[`${name}_LIMIT`] = [...rates, "10/604801", "1/0.0001", false, {}];
    }
    for (const [name, values] of Object.entries(odd)) {
      for (const value of values) {
        const said = readProblems({ [name]: value });
        expect(said, `${name}=${value}`).toHaveLength(1);
        expect(said[0]).toMatch(new RegExp(`^${name} must .*\\.$`));
      }
    }
  });

  it("the answer reports several invalid values at once", () => {
    expect(readProblems({ GUESTS: "maybe", FLUSH_MS: "soon", CHAT_LIMIT: "often" })).toHaveLength(3);
  });

  it("the answer never repeats the value: it may be a misplaced secret", () => {
    const astray = "hunter2-hunter2";
    const names = [
      "AUTH_SECRET",
      "BATCH_SECRET",
      "GUESTS",
      "ALLOWED_ORIGINS",
      "SCOREBOARD_URL",
      "ROOMS_URL",
      "FLUSH_MS",
      "CHAT_LIMIT",
      "MAX_USERS",
      "AUTH_JWKS_URL",
    ];
    const said = readProblems(Object.fromEntries(names.map((name) => [name, astray])));
    expect(said).toHaveLength(names.length);
    expect(said.join(" ")).not.toContain(astray);
  });

  it("the answer says if only some of three variables are set", () => {
    const all = { AUTH_JWKS_URL: "https://id.example.org", AUTH_ISSUER: "i", AUTH_AUDIENCE: "a" };
    expect(readProblems(all)).toEqual([]);
    for (const missing of Object.keys(all)) {
      const [said, ...others] = readProblems({ ...all, [missing]: "" });
      expect(said).toContain(`Without a value: ${missing}.`);
      expect(others).toEqual([]);
    }
    expect(readProblems({ AUTH_ISSUER: "i" })[0]).toContain("Without a value: AUTH_JWKS_URL, AUTH_AUDIENCE.");
  });

  it("the answer rejects a key server without TLS, because any host on the way could change its keys", () => {
    const rest = { AUTH_ISSUER: "i", AUTH_AUDIENCE: "a" };
    for (const url of [
      "http://id.example.org/keys",
      "http://127.0.0.1.evil.org/",
      "http://localhost@evil.org/",
      "https://id.example.org:123456/",
      "id.example.org",
    ]) {
      expect(readProblems({ ...rest, AUTH_JWKS_URL: url }), url).toHaveLength(1);
    }
    for (const url of [
      "http://127.0.0.1:9000/keys",
      "http://localhost/keys",
      "http://[::1]:80/",
      "https://a.org/k?v=1",
    ]) {
      expect(readProblems({ ...rest, AUTH_JWKS_URL: url }), url).toEqual([]);
    }
  });
});
