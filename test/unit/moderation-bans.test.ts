import { describe, expect, it } from "vitest";
import { main } from "../../src/kinds/main";
import type { Json } from "../../src/protocol/messages";
import type { EffectCall } from "../../src/room/ports";
import { RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

type KnownBan = {
  user: string;
  scope: "room" | "everywhere";
  reason?: string;
  untilMs?: number;
  rank?: "host" | "admin";
};

/** A room and a ban service that answers only when the test says so. */
class BanStage {
  bans: KnownBan[] = [];
  /** Users whose directory objects know that they are here. */
  readonly presentUsers = new Set<string>();
  /** Users who are known elsewhere to be admins. */
  readonly admins = new Set<string>();
  readonly writes: { user: string; isLifted: boolean; rank?: string }[] = [];
  #answered = 0;

  private constructor(readonly stage: RoomStage) {}

  static async open(): Promise<BanStage> {
    return new BanStage(await RoomStage.open({ kind: main }));
  }

  get pendingCalls(): readonly EffectCall[] {
    return this.stage.runtime.startedEffects.slice(this.#answered);
  }

  /** Answers all pending calls, and those that follow from the answers. */
  answerAll(): void {
    for (let next = this.pendingCalls[0]; next; next = this.pendingCalls[0]) {
      this.#answered++;
      this.stage.answerEffect(next, this.#answerFor(next));
      this.stage.advance(100);
    }
  }

  failAll(): void {
    for (const call of this.pendingCalls) this.stage.failEffect(call);
    this.#answered = this.stage.runtime.startedEffects.length;
  }

  notify(user: string, askedAt: number): void {
    const bans = this.bans.filter((ban) => ban.user === user && ban.scope === "everywhere");
    const message = { user, askedAt, bans: bans.map(({ user: _, ...ban }) => ban) };
    this.stage.turn(() => this.stage.room.receiveServiceMessage("moderation", message, this.stage.now));
  }

  #answerFor({ name, request: ask }: EffectCall): Json {
    const { now } = this.stage;
    if (name === "moderation/bans") {
      const { writes } = ask as unknown as {
        writes: { n: number; user: string; isLifted: boolean; rank?: string }[];
      };
      for (const { user, isLifted, rank } of writes)
        this.writes.push({ user, isLifted, ...(rank === undefined ? {} : { rank }) });
      const refused = writes.filter(({ user, isLifted }) => !isLifted && this.admins.has(user));
      return { askedAt: now, done: writes.map(({ n }) => n), refused: refused.map(({ n }) => n) };
    }
    const { came, gone } = ask as unknown as { came: { user: string }[]; gone: string[] };
    const users = came.map(({ user }) => user);
    for (const user of users) this.presentUsers.add(user);
    for (const user of gone) this.presentUsers.delete(user);
    const bans = this.bans.filter(({ user }) => users.includes(user)).map((ban) => ({ ...ban }));
    return { askedAt: now, came: users, gone, bans };
  }
}

const ban = (banStage: BanStage, tab: RoomTab, user: string, scope: string) =>
  banStage.stage.do(tab, "moderation", "ban", { user, scope });
const isConnected = (tab: RoomTab) => tab.read().welcomes.length > tab.byes.length;

describe("reports to the ban service", () => {
  it("[D5] the room reports who came and who left, many at a time, over restarts and failures", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const tabs = Array.from({ length: 130 }, (_, n) => stage.join(`user${n}`));
    stage.advance(1_000);
    banStage.failAll();
    await stage.sleep();
    stage.advance(5_000);
    banStage.answerAll();
    expect(banStage.presentUsers.size).toBe(130);
    const calls = stage.runtime.startedEffects.length;
    for (const tab of tabs.slice(0, 90)) stage.leave(tab);
    stage.advance(10_000);
    banStage.answerAll();
    expect([...banStage.presentUsers]).toEqual(tabs.slice(90).map(({ user }) => user));
    expect(stage.runtime.startedEffects.length - calls, "a hundred a call").toBeLessThan(8);
    stage.expectNoViolations();
  });

  it("[D7] the room reports a guest's present IP address, and not that of a second tab", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const home = { guest: true, from: "home" };
    const ann = stage.join("guest-ann", home);
    stage.advance(100);
    banStage.answerAll();
    const other = stage.join("guest-ann", { ...home, tab: "other", from: "elsewhere" });
    stage.leave(other);
    stage.advance(1_000);
    banStage.answerAll();
    const reports = () =>
      stage.runtime.startedEffects.flatMap(({ request: ask }) => (ask as { came?: Json[] }).came ?? []);
    expect(reports()).toMatchObject([{ from: "home" }]);
    stage.leave(ann);
    stage.rejoin(ann, { guest: true, from: "elsewhere" });
    stage.advance(1_000);
    banStage.answerAll();
    expect(reports().slice(1)).toMatchObject([{ user: "guest-ann", from: "elsewhere" }]);
    expect([...banStage.presentUsers]).toEqual(["guest-ann"]);
    stage.expectNoViolations();
  });

  it("[D4] the directory learns which admins are admins of all rooms, also when a user becomes one", async () => {
    const town = await BanStage.open();
    const { stage } = town;
    stage.join("ada", { role: "admin" });
    stage.join("bert", { role: "admin", allRooms: false });
    stage.advance(1_000);
    town.answerAll();
    stage.join("bert", { role: "admin", tab: "other" });
    stage.advance(1_000);
    town.answerAll();
    const came = stage.runtime.startedEffects.flatMap(
      ({ request: ask }) => (ask as { came?: { user: string; allRooms?: true }[] }).came ?? [],
    );
    expect(came.map(({ user, allRooms = false }) => [user, allRooms])).toEqual([
      ["ada", true],
      ["bert", false],
      ["bert", true],
    ]);
    stage.expectNoViolations();
  });

  it("[D5] the room reports its members after a drain during which the ban service was unreachable", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const ann = stage.join("ann");
    stage.advance(100);
    banStage.failAll();
    stage.turn(() => stage.room.drain(stage.now));
    banStage.failAll();
    stage.advance(11_000);
    stage.rejoin(ann);
    stage.advance(60_000);
    banStage.answerAll();
    expect([...banStage.presentUsers]).toEqual(["ann"]);
    stage.expectNoViolations();
  });

  it("[D5] the room does not report reconnects and other tabs", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const ann = stage.join("ann");
    stage.advance(100);
    banStage.answerAll();
    const calls = stage.runtime.startedEffects.length;
    stage.leave(ann);
    stage.rejoin(ann);
    stage.join("ann", { tab: "another" });
    stage.advance(10_000);
    expect(stage.runtime.startedEffects).toHaveLength(calls);
  });

  it("[D5] the room reports a returning user again if an earlier report of leaving may have arrived", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    stage.join("hanna", { role: "host" });
    const ann = stage.join("ann");
    stage.advance(100);
    banStage.answerAll();
    stage.leave(ann);
    stage.advance(20_000);
    stage.join("bob");
    stage.advance(100);
    const [going] = banStage.pendingCalls;
    expect(going?.request).toMatchObject({ gone: ["ann"] });
    stage.join("ann");
    stage.advance(100);
    banStage.presentUsers.delete("ann");
    banStage.failAll();
    stage.advance(60_000);
    banStage.answerAll();
    expect(banStage.presentUsers.has("ann")).toBe(true);
    stage.expectNoViolations();
  });

  it("[D5] the room reports a leave even if the report of the join may not have arrived", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    stage.join("hanna", { role: "host" });
    stage.advance(100);
    banStage.answerAll();
    const ann = stage.join("ann");
    stage.advance(100);
    // The service gets each report, but no answer arrives: the room waits longer each time before it asks again.
    for (let time = 0; time < 6; time++) {
      banStage.presentUsers.add("ann");
      banStage.failAll();
      if (time < 5) stage.advance(20_000);
    }
    stage.leave(ann);
    stage.advance(6_000);
    expect(banStage.pendingCalls).toEqual([]);
    for (let time = 0; time < 20; time++) {
      stage.advance(10_000);
      banStage.answerAll();
    }
    expect(banStage.presentUsers.has("ann")).toBe(false);
    stage.expectNoViolations();
  });

  it("[D5] the service answers with bans that the edge did not know of, and they end the connection", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    banStage.bans = [
      { user: "eve", scope: "everywhere", reason: "spam" },
      { user: "dora", scope: "room" },
      { user: "carl", scope: "everywhere", untilMs: stage.now - 1 },
    ];
    const [eve, dora, carl, ann] = ["eve", "dora", "carl", "ann"].map((user) => stage.join(user)) as [
      RoomTab,
      RoomTab,
      RoomTab,
      RoomTab,
    ];
    stage.advance(100);
    banStage.answerAll();
    expect(eve.read().byes).toMatchObject([{ code: 4403, reason: "You are banned: spam" }]);
    expect(dora.read().byes).toMatchObject([{ code: 4403, reason: "You are banned from this room." }]);
    expect([isConnected(carl), isConnected(ann)]).toEqual([true, true]);
    expect(stage.join("dora", { tab: "again" }).read().byes).toHaveLength(1);
    expect(JSON.stringify(ann.read().slices), "other users do not see their bans").not.toContain("spam");
    stage.expectNoViolations();
  });

  it("[D5] an unreachable service delays no user and blocks nothing", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const hanna = stage.join("hanna", { role: "host" });
    const ann = stage.join("ann");
    stage.advance(100);
    ban(banStage, hanna, "ann", "room");
    expect(ann.read().byes).toHaveLength(1);
    for (let time = 0; time < 20; time++) {
      stage.advance(60_000);
      banStage.failAll();
    }
    stage.say(hanna, "still here");
    stage.advance(100);
    expect(hanna.read().events.at(-1)?.n).toBe("said");
    expect(banStage.writes).toEqual([]);
    for (let time = 0; time < 20; time++) {
      stage.advance(5_000);
      banStage.answerAll();
    }
    expect(banStage.writes).toEqual([{ user: "ann", isLifted: false, rank: "host" }]);
    stage.expectNoViolations();
  });
});

describe("a notification of a ban everywhere", () => {
  it("[D5] the notification disconnects a present user, and keeps the user out until a newer one lifts the ban", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const ann = stage.join("ann");
    stage.advance(100);
    banStage.answerAll();
    banStage.bans = [{ user: "ann", scope: "everywhere" }];
    banStage.notify("ann", stage.now);
    expect(ann.read().byes).toMatchObject([{ code: 4403, reason: "You are banned." }]);
    expect(isConnected(stage.join("ann", { tab: "stale edge", askedAt: stage.now - 1 }))).toBe(false);
    expect(isConnected(stage.join("ann", { tab: "no edge" }))).toBe(false);
    stage.advance(100);
    banStage.bans = [];
    const fresh = stage.join("ann", { tab: "lifted", askedAt: stage.now });
    stage.advance(100);
    expect(isConnected(fresh)).toBe(true);
    banStage.answerAll();
    expect(isConnected(fresh)).toBe(true);
    stage.expectNoViolations();
  });

  it("[D5] a notification older than the known state changes nothing", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const ann = stage.join("ann");
    stage.advance(100);
    banStage.answerAll();
    banStage.bans = [{ user: "ann", scope: "everywhere" }];
    banStage.notify("ann", stage.now);
    banStage.bans = [];
    banStage.notify("ann", stage.now - 1);
    expect(isConnected(stage.join("ann", { tab: "again" }))).toBe(false);
    banStage.notify("ann", stage.now + 1);
    const back = stage.join("ann", { tab: "back" });
    stage.advance(100);
    expect(isConnected(back)).toBe(true);
    expect(ann.read().byes).toHaveLength(1);
    stage.expectNoViolations();
  });

  it("[D5] a notification that its end overtook, or that is repeated after it, changes nothing", async () => {
    for (const isKnown of [true, false]) {
      const banStage = await BanStage.open();
      const { stage } = banStage;
      stage.join("ann");
      stage.advance(100);
      banStage.answerAll();
      const bannedAt = stage.now;
      banStage.bans = [{ user: "ann", scope: "everywhere" }];
      if (isKnown) banStage.notify("ann", bannedAt);
      stage.advance(100);
      banStage.bans = [];
      banStage.notify("ann", stage.now);
      await stage.crash();
      const ann = stage.join("ann", { tab: "back", askedAt: stage.now });
      stage.advance(100);
      banStage.bans = [{ user: "ann", scope: "everywhere" }];
      banStage.notify("ann", bannedAt);
      stage.advance(100);
      expect(isConnected(ann), `the ban had been ${isKnown ? "" : "not "}known`).toBe(true);
      stage.expectNoViolations();
    }
  });

  it("[D5] a repeated notification after an edge knew of the end changes nothing", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    stage.join("ann");
    stage.advance(100);
    banStage.answerAll();
    const bannedAt = stage.now;
    banStage.bans = [{ user: "ann", scope: "everywhere" }];
    banStage.notify("ann", bannedAt);
    stage.advance(100);
    const ann = stage.join("ann", { tab: "back", askedAt: stage.now });
    stage.advance(100);
    expect(isConnected(ann)).toBe(true);
    banStage.notify("ann", bannedAt);
    stage.advance(100);
    expect(isConnected(ann)).toBe(true);
    stage.expectNoViolations();
  });

  it("an invalid notification changes nothing, and is reported", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    stage.join("ann");
    stage.advance(100);
    for (const message of [
      null,
      {},
      { user: "ann" },
      { user: "ann", askedAt: 1, bans: [{ scope: "moon" }] },
    ]) {
      expect(
        stage.turn(() => stage.room.receiveServiceMessage("moderation", message as Json, stage.now)),
      ).toBe(false);
    }
    expect(
      stage.room.receiveServiceMessage("nobody", {}, stage.now),
      "for a feature that the room does not have",
    ).toBe(true);
    expect(stage.runtime.reports).toHaveLength(4);
    expect(stage.room.summary(stage.now).users).toBe(1);
  });
});

describe("a user who may not join", () => {
  it("[D2] [D3] [D5] the user can do nothing over HTTP either, as far as the room knows more than the edge", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const ada = stage.join("ada", { role: "admin" });
    const hosts = ["kim", "lee", "max"].map((user) => stage.join(user, { role: "host" }));
    stage.advance(100);
    banStage.answerAll();
    stage.do(ada, "moderation", "kick", { user: "kim" });
    ban(banStage, ada, "lee", "room");
    const bannedAt = stage.now;
    banStage.bans = [{ user: "max", scope: "everywhere" }];
    banStage.notify("max", bannedAt);
    stage.advance(100);
    expect(hosts.map((tab) => tab.read().byes.length)).toEqual([1, 1, 1]);
    const act = (user: string, askedAt?: number) => {
      const caller = {
        user,
        name: user,
        role: "host" as const,
        ...(askedAt ? { bansCheckedAt: askedAt } : {}),
      };
      const action = { id: crypto.randomUUID(), f: "moderation", a: "unban", d: { user: "lee" } };
      return stage.turn(() => stage.room.act(action, caller, stage.now));
    };
    for (const user of ["kim", "lee", "max"]) {
      expect(act(user), user).toMatchObject({ ok: false, rejection: { code: "not_allowed" } });
      const caller = { user, name: user, role: "host" as const };
      expect(stage.room.rejectCaller(caller, stage.now)?.message, user).toMatch(
        /You (are banned|were removed)/,
      );
    }
    expect(act("max", bannedAt + 1), "the edge knows that the ban was lifted").toMatchObject({ ok: true });
    stage.advance(60_000);
    expect(act("kim")).toMatchObject({ ok: true });
    stage.expectNoViolations();
  });
});

describe("an admin whom a host banned and muted before the room knew the role", () => {
  it("[D4] the admin joins, speaks and stays, if the room or the ban service recorded the ban", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const hanna = stage.join("hanna", { role: "host" });
    stage.advance(100);
    banStage.answerAll();
    ban(banStage, hanna, "ada", "room");
    stage.do(hanna, "moderation", "mute", { user: "ada" });
    stage.advance(100);
    banStage.answerAll();
    banStage.bans = [{ user: "ada", scope: "room" }];
    expect(isConnected(stage.join("ada", { tab: "as a player" }))).toBe(false);
    for (const isKnown of [true, false]) {
      const ada = stage.join("ada", { role: "admin", tab: `${isKnown}`, askedAt: stage.now });
      stage.advance(100);
      banStage.answerAll();
      expect(isConnected(ada)).toBe(true);
      stage.say(ada, "here I am");
      stage.advance(100);
      expect(ada.read().nacks).toEqual([]);
      stage.do(ada, "moderation", "unban", { user: "ada" });
      stage.leave(ada);
      stage.advance(60_000);
      banStage.answerAll();
    }
    stage.expectNoViolations();
  });
});

describe("a ban of a user whose role the room learned later", () => {
  const isHost = { role: "host" } as const;

  it("[D4] a host whom a host banned is let in, and the ban is undone", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const hanna = stage.join("hanna", isHost);
    ban(banStage, hanna, "hugo", "room");
    stage.advance(100);
    banStage.answerAll();
    expect(isConnected(stage.join("hugo", { tab: "as a player" }))).toBe(false);
    const hugo = stage.join("hugo", isHost);
    stage.advance(100);
    banStage.answerAll();
    expect(isConnected(hugo)).toBe(true);
    expect(banStage.writes).toEqual([
      { user: "hugo", isLifted: false, rank: "host" },
      { user: "hugo", isLifted: true },
    ]);
    const [undone] = hanna.read().events.filter(({ n }) => n === "unbanned");
    expect(undone).toMatchObject({ d: { user: "hugo", scope: "room" } });
    expect(undone).not.toHaveProperty("by");
    stage.leave(hugo);
    await stage.sleep();
    stage.advance(60_000);
    expect(isConnected(stage.join("hugo", { tab: "later, as a player" }))).toBe(true);
    stage.expectNoViolations();
  });

  it("[D4] a host whom an admin banned stays out, and an admin does not", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const ada = stage.join("ada", { role: "admin" });
    for (const user of ["hugo", "alma"]) ban(banStage, ada, user, "room");
    stage.advance(100);
    banStage.answerAll();
    await stage.sleep();
    expect(isConnected(stage.join("hugo", isHost))).toBe(false);
    expect(isConnected(stage.join("alma", { role: "admin" }))).toBe(true);
    stage.expectNoViolations();
  });

  it("[D4] a ban that only the ban service knows is undone for a host too, unless an admin set it", async () => {
    for (const rank of ["host", "admin"] as const) {
      const banStage = await BanStage.open();
      const { stage } = banStage;
      banStage.bans = [{ user: "hugo", scope: "room", rank }];
      const hugo = stage.join("hugo", isHost);
      stage.advance(100);
      banStage.answerAll();
      expect(isConnected(hugo), rank).toBe(rank === "host");
      expect(banStage.writes, rank).toEqual(rank === "host" ? [{ user: "hugo", isLifted: true }] : []);
      stage.expectNoViolations();
    }
  });
});

describe("a ban that a room decides", () => {
  it("[D5] the ban is pending until it is stored, once each, the newest of a user", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const hanna = stage.join("hanna", { role: "host" });
    stage.advance(100);
    banStage.answerAll();
    ban(banStage, hanna, "ann", "room");
    stage.do(hanna, "moderation", "unban", { user: "ann" });
    ban(banStage, hanna, "bob", "room");
    stage.advance(100);
    await stage.crash();
    for (let time = 0; time < 10; time++) {
      stage.advance(5_000);
      banStage.answerAll();
    }
    expect(banStage.writes.filter(({ user }) => user === "bob").at(-1)).toEqual({
      user: "bob",
      isLifted: false,
      rank: "host",
    });
    expect(banStage.writes.filter(({ user }) => user === "ann").at(-1)).toEqual({
      user: "ann",
      isLifted: true,
    });
    const calls = stage.runtime.startedEffects.length;
    stage.advance(60_000);
    expect(
      stage.runtime.startedEffects.slice(calls).filter(({ name }) => name === "moderation/bans"),
    ).toEqual([]);
  });

  it("[D5] each ban has a time of its own, so that two bans of one millisecond differ", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const hanna = stage.join("hanna", { role: "host" });
    stage.advance(1_000);
    const times = () =>
      stage.runtime.startedEffects
        .filter(({ name }) => name === "moderation/bans")
        .flatMap(({ request: ask }) => (ask as { writes: { at: number }[] }).writes.map(({ at }) => at));
    ban(banStage, hanna, "ann", "room");
    stage.do(hanna, "moderation", "unban", { user: "ann", scope: "room" });
    stage.advance(100);
    banStage.answerAll();
    const [first = 0] = times();
    expect(times()).toEqual([first, first + 1]);
  });

  it("[D5] the pending ban outweighs an older answer from the service", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const hanna = stage.join("hanna", { role: "host" });
    stage.advance(100);
    banStage.answerAll();
    banStage.bans = [{ user: "ann", scope: "room" }];
    stage.do(hanna, "moderation", "unban", { user: "ann" });
    const ann = stage.join("ann");
    stage.advance(100);
    const places = banStage.pendingCalls.filter(({ name }) => name === "moderation/places");
    expect(places).toHaveLength(1);
    stage.answerEffect(places[0] as EffectCall, {
      askedAt: stage.now,
      came: ["ann"],
      gone: [],
      bans: [{ user: "ann", scope: "room" }],
    });
    expect(isConnected(ann), "the room has already lifted the ban").toBe(true);
    stage.expectNoViolations();
  });

  it("[D5] an answer from before the ban was stored, which arrives later, does not undo it", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const hanna = stage.join("hanna", { role: "host" });
    stage.advance(100);
    banStage.answerAll();
    stage.do(hanna, "moderation", "unban", { user: "ann" });
    const ann = stage.join("ann");
    stage.advance(100);
    const of = (name: string) => banStage.pendingCalls.find((call) => call.name === name) as EffectCall;
    const [places, bans] = [of("moderation/places"), of("moderation/bans")];
    const { writes } = bans.request as unknown as { writes: { n: number }[] };
    const askedAt = stage.now;
    stage.answerEffect(bans, { askedAt, done: writes.map(({ n }) => n) });
    stage.advance(1_000);
    stage.answerEffect(places, { askedAt, came: ["ann"], gone: [], bans: [{ user: "ann", scope: "room" }] });
    stage.advance(100);
    expect(isConnected(ann)).toBe(true);
    stage.expectNoViolations();
  });

  it("[D4] a ban everywhere is undone if its user turns out to be an admin elsewhere, and no other ban is", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const ada = stage.join("ada", { role: "admin" });
    const bob = stage.join("bob");
    stage.advance(100);
    banStage.answerAll();
    banStage.admins.add("bob");
    for (const user of ["bob", "carl"]) ban(banStage, ada, user, "everywhere");
    stage.advance(100);
    expect(bob.read().byes).toMatchObject([{ code: 4403 }]);
    banStage.answerAll();
    const undone = ada.read().events.filter(({ n }) => n === "unbanned");
    expect(undone).toMatchObject([{ d: { user: "bob", scope: "everywhere" } }]);
    expect(undone[0]).not.toHaveProperty("by");
    expect(isConnected(stage.join("bob", { tab: "again" }))).toBe(true);
    expect(isConnected(stage.join("carl"))).toBe(false);
    stage.expectNoViolations();
  });

  it("[D5] a ban everywhere applies here at once, against any edge's knowledge, until it is stored and lifted elsewhere", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const ada = stage.join("ada", { role: "admin" });
    const ann = stage.join("ann");
    stage.advance(100);
    ban(banStage, ada, "ann", "everywhere");
    expect(ann.read().byes).toHaveLength(1);
    stage.advance(1_000);
    expect(isConnected(stage.join("ann", { tab: "early", askedAt: stage.now }))).toBe(false);
    banStage.answerAll();
    stage.advance(10);
    const later = stage.join("ann", { tab: "later", askedAt: stage.now });
    stage.advance(100);
    expect(isConnected(later), "the service knew of the ban, and says it is over").toBe(true);
    stage.expectNoViolations();
  });

  it("[R6] [R7] the pending ban keeps the room until it is stored, and nothing else does", async () => {
    const banStage = await BanStage.open();
    const { stage } = banStage;
    const hanna = stage.join("hanna", { role: "host" });
    stage.advance(100);
    ban(banStage, hanna, "ann", "room");
    stage.leave(hanna);
    for (let time = 0; time < 60; time++) {
      stage.advance(60_000);
      banStage.failAll();
    }
    expect(stage.room.isOver, "the room has a pending effect").toBe(false);
    // The answer to a call that was given up meanwhile is ignored.
    for (let time = 0; time < 20; time++) {
      stage.advance(5_000);
      banStage.answerAll();
    }
    stage.advance(2_000_000);
    expect(stage.room.isOver).toBe(true);
    expect(stage.runtime.keys()).toEqual([]);
  });
});
