import { describe, expect, it } from "vitest";
import { main } from "../../src/kinds/main";
import type { Json } from "../../src/protocol/messages";
import type { AskedErrand } from "../../src/room/ports";
import { RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

type Known = { user: string; scope: "room" | "everywhere"; reason?: string; untilMs?: number };

/** A room and whoever keeps the bans, who answers only when the story says so. */
class Town {
  bans: Known[] = [];
  /** Users whose objects know that they are here. */
  readonly here = new Set<string>();
  /** Somewhere else. */
  readonly admins = new Set<string>();
  readonly writes: { user: string; isLifted: boolean }[] = [];
  #answered = 0;

  private constructor(readonly stage: RoomStage) {}

  static async open(): Promise<Town> {
    return new Town(await RoomStage.open({ kind: main }));
  }

  get asked(): readonly AskedErrand[] {
    return this.stage.world.asked.slice(this.#answered);
  }

  /** Answers all that was asked so far, and what follows from that. */
  settle(): void {
    for (let next = this.asked[0]; next; next = this.asked[0]) {
      this.#answered++;
      this.stage.answer(next, this.#answerTo(next));
      this.stage.pass(100);
    }
  }

  lose(): void {
    for (const asked of this.asked) this.stage.fail(asked);
    this.#answered = this.stage.world.asked.length;
  }

  word(user: string, askedAt: number): void {
    const bans = this.bans.filter((ban) => ban.user === user && ban.scope === "everywhere");
    const word = { user, askedAt, bans: bans.map(({ user: _, ...ban }) => ban) };
    this.stage.turn(() => this.stage.room.heard("moderation", word, this.stage.now));
  }

  #answerTo({ name, ask }: AskedErrand): Json {
    const { now } = this.stage;
    if (name === "moderation/bans") {
      const { writes } = ask as unknown as { writes: { n: number; user: string; isLifted: boolean }[] };
      this.writes.push(...writes.map(({ user, isLifted }) => ({ user, isLifted })));
      const refused = writes.filter(({ user, isLifted }) => !isLifted && this.admins.has(user));
      return { askedAt: now, done: writes.map(({ n }) => n), refused: refused.map(({ n }) => n) };
    }
    const { came, gone } = ask as unknown as { came: { user: string }[]; gone: string[] };
    const users = came.map(({ user }) => user);
    for (const user of users) this.here.add(user);
    for (const user of gone) this.here.delete(user);
    const bans = this.bans.filter(({ user }) => users.includes(user)).map((ban) => ({ ...ban }));
    return { askedAt: now, came: users, gone, bans };
  }
}

const ban = (town: Town, tab: RoomTab, user: string, scope: string) =>
  town.stage.do(tab, "moderation", "ban", { user, scope });
const isIn = (tab: RoomTab) => tab.read().welcomes.length > tab.byes.length;

describe("whoever keeps the bans", () => {
  it("[D5] is told who came and who went, many at a time, over restarts and failures", async () => {
    const town = await Town.open();
    const { stage } = town;
    const tabs = Array.from({ length: 130 }, (_, n) => stage.join(`user${n}`));
    stage.pass(1_000);
    town.lose();
    await stage.sleep();
    stage.pass(5_000);
    town.settle();
    expect(town.here.size).toBe(130);
    const calls = stage.world.asked.length;
    for (const tab of tabs.slice(0, 90)) stage.leave(tab);
    stage.pass(10_000);
    town.settle();
    expect([...town.here]).toEqual(tabs.slice(90).map(({ user }) => user));
    expect(stage.world.asked.length - calls, "a hundred a call").toBeLessThan(8);
    stage.check();
  });

  it("[D7] is told where a guest comes from now, and not of a second tab's address", async () => {
    const town = await Town.open();
    const { stage } = town;
    const home = { guest: true, from: "home" };
    const ann = stage.join("guest-ann", home);
    stage.pass(100);
    town.settle();
    const other = stage.join("guest-ann", { ...home, tab: "other", from: "elsewhere" });
    stage.leave(other);
    stage.pass(1_000);
    town.settle();
    const asked = () => stage.world.asked.flatMap(({ ask }) => (ask as { came?: Json[] }).came ?? []);
    expect(asked()).toMatchObject([{ from: "home" }]);
    stage.leave(ann);
    stage.rejoin(ann, { guest: true, from: "elsewhere" });
    stage.pass(1_000);
    town.settle();
    expect(asked().slice(1)).toMatchObject([{ user: "guest-ann", from: "elsewhere" }]);
    expect([...town.here]).toEqual(["guest-ann"]);
    stage.check();
  });

  it("[D5] is told who is here also after a drain while it was away", async () => {
    const town = await Town.open();
    const { stage } = town;
    const ann = stage.join("ann");
    stage.pass(100);
    town.lose();
    stage.turn(() => stage.room.drain(stage.now));
    town.lose();
    stage.pass(11_000);
    stage.rejoin(ann);
    stage.pass(60_000);
    town.settle();
    expect([...town.here]).toEqual(["ann"]);
    stage.check();
  });

  it("[D5] is not told of reconnects and other tabs", async () => {
    const town = await Town.open();
    const { stage } = town;
    const ann = stage.join("ann");
    stage.pass(100);
    town.settle();
    const calls = stage.world.asked.length;
    stage.leave(ann);
    stage.rejoin(ann);
    stage.join("ann", { tab: "another" });
    stage.pass(10_000);
    expect(stage.world.asked).toHaveLength(calls);
  });

  it("[D5] is told again of who comes back, where nobody knows whether it heard that they went", async () => {
    const town = await Town.open();
    const { stage } = town;
    stage.join("hanna", { role: "host" });
    const ann = stage.join("ann");
    stage.pass(100);
    town.settle();
    stage.leave(ann);
    stage.pass(20_000);
    stage.join("bob");
    stage.pass(100);
    const [going] = town.asked;
    expect(going?.ask).toMatchObject({ gone: ["ann"] });
    stage.join("ann");
    stage.pass(100);
    town.here.delete("ann");
    town.lose();
    stage.pass(60_000);
    town.settle();
    expect(town.here.has("ann")).toBe(true);
    stage.check();
  });

  it("[D5] hears that somebody went also where nobody knows whether it heard that they came", async () => {
    const town = await Town.open();
    const { stage } = town;
    stage.join("hanna", { role: "host" });
    stage.pass(100);
    town.settle();
    const ann = stage.join("ann");
    stage.pass(100);
    // It hears of her each time, and no answer comes back: the room waits longer and longer before it asks again.
    for (let time = 0; time < 6; time++) {
      town.here.add("ann");
      town.lose();
      if (time < 5) stage.pass(20_000);
    }
    stage.leave(ann);
    stage.pass(6_000);
    expect(town.asked).toEqual([]);
    for (let time = 0; time < 20; time++) {
      stage.pass(10_000);
      town.settle();
    }
    expect(town.here.has("ann")).toBe(false);
    stage.check();
  });

  it("[D5] answers with bans that the edge did not know of, and they end the connection", async () => {
    const town = await Town.open();
    const { stage } = town;
    town.bans = [
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
    stage.pass(100);
    town.settle();
    expect(eve.read().byes).toMatchObject([{ code: 4403, reason: "You are banned: spam" }]);
    expect(dora.read().byes).toMatchObject([{ code: 4403, reason: "You are banned from this room." }]);
    expect([isIn(carl), isIn(ann)]).toEqual([true, true]);
    expect(stage.join("dora", { tab: "again" }).read().byes).toHaveLength(1);
    expect(JSON.stringify(ann.read().slices), "their bans are nobody's business").not.toContain("spam");
    stage.check();
  });

  it("[D5] away, keeps nobody waiting and nothing from happening", async () => {
    const town = await Town.open();
    const { stage } = town;
    const hanna = stage.join("hanna", { role: "host" });
    const ann = stage.join("ann");
    stage.pass(100);
    ban(town, hanna, "ann", "room");
    expect(ann.read().byes).toHaveLength(1);
    for (let time = 0; time < 20; time++) {
      stage.pass(60_000);
      town.lose();
    }
    stage.say(hanna, "still here");
    stage.pass(100);
    expect(hanna.read().events.at(-1)?.n).toBe("said");
    expect(town.writes).toEqual([]);
    for (let time = 0; time < 20; time++) {
      stage.pass(5_000);
      town.settle();
    }
    expect(town.writes).toEqual([{ user: "ann", isLifted: false }]);
    stage.check();
  });
});

describe("a word of a ban everywhere", () => {
  it("[D5] ends whoever is here, and keeps them out until a newer one lifts it", async () => {
    const town = await Town.open();
    const { stage } = town;
    const ann = stage.join("ann");
    stage.pass(100);
    town.settle();
    town.bans = [{ user: "ann", scope: "everywhere" }];
    town.word("ann", stage.now);
    expect(ann.read().byes).toMatchObject([{ code: 4403, reason: "You are banned." }]);
    expect(isIn(stage.join("ann", { tab: "stale edge", askedAt: stage.now - 1 }))).toBe(false);
    expect(isIn(stage.join("ann", { tab: "no edge" }))).toBe(false);
    stage.pass(100);
    town.bans = [];
    const fresh = stage.join("ann", { tab: "lifted", askedAt: stage.now });
    stage.pass(100);
    expect(isIn(fresh)).toBe(true);
    town.settle();
    expect(isIn(fresh)).toBe(true);
    stage.check();
  });

  it("[D5] that is older than what is known changes nothing", async () => {
    const town = await Town.open();
    const { stage } = town;
    const ann = stage.join("ann");
    stage.pass(100);
    town.settle();
    town.bans = [{ user: "ann", scope: "everywhere" }];
    town.word("ann", stage.now);
    town.bans = [];
    town.word("ann", stage.now - 1);
    expect(isIn(stage.join("ann", { tab: "again" }))).toBe(false);
    town.word("ann", stage.now + 1);
    const back = stage.join("ann", { tab: "back" });
    stage.pass(100);
    expect(isIn(back)).toBe(true);
    expect(ann.read().byes).toHaveLength(1);
    stage.check();
  });

  it("[D5] that was overtaken by its end, or comes once more after it, changes nothing", async () => {
    for (const isKnown of [true, false]) {
      const town = await Town.open();
      const { stage } = town;
      stage.join("ann");
      stage.pass(100);
      town.settle();
      const bannedAt = stage.now;
      town.bans = [{ user: "ann", scope: "everywhere" }];
      if (isKnown) town.word("ann", bannedAt);
      stage.pass(100);
      town.bans = [];
      town.word("ann", stage.now);
      await stage.crash();
      const ann = stage.join("ann", { tab: "back", askedAt: stage.now });
      stage.pass(100);
      town.bans = [{ user: "ann", scope: "everywhere" }];
      town.word("ann", bannedAt);
      stage.pass(100);
      expect(isIn(ann), `the ban had been ${isKnown ? "" : "not "}known`).toBe(true);
      stage.check();
    }
  });

  it("[D5] that comes once more after an edge knew of its end changes nothing", async () => {
    const town = await Town.open();
    const { stage } = town;
    stage.join("ann");
    stage.pass(100);
    town.settle();
    const bannedAt = stage.now;
    town.bans = [{ user: "ann", scope: "everywhere" }];
    town.word("ann", bannedAt);
    stage.pass(100);
    const ann = stage.join("ann", { tab: "back", askedAt: stage.now });
    stage.pass(100);
    expect(isIn(ann)).toBe(true);
    town.word("ann", bannedAt);
    stage.pass(100);
    expect(isIn(ann)).toBe(true);
    stage.check();
  });

  it("that makes no sense changes nothing, and is reported", async () => {
    const town = await Town.open();
    const { stage } = town;
    stage.join("ann");
    stage.pass(100);
    for (const word of [null, {}, { user: "ann" }, { user: "ann", askedAt: 1, bans: [{ scope: "moon" }] }]) {
      expect(stage.turn(() => stage.room.heard("moderation", word as Json, stage.now))).toBe(false);
    }
    expect(stage.room.heard("nobody", {}, stage.now), "for a feature that is not here").toBe(true);
    expect(stage.world.reports).toHaveLength(4);
    expect(stage.room.summary(stage.now).users).toBe(1);
  });
});

describe("whoever may not come in", () => {
  it("[D2] [D3] [D5] does nothing over HTTP either, as far as the room knows better than the edge", async () => {
    const town = await Town.open();
    const { stage } = town;
    const ada = stage.join("ada", { role: "admin" });
    const hosts = ["kim", "lee", "max"].map((user) => stage.join(user, { role: "host" }));
    stage.pass(100);
    town.settle();
    stage.do(ada, "moderation", "kick", { user: "kim" });
    ban(town, ada, "lee", "room");
    const bannedAt = stage.now;
    town.bans = [{ user: "max", scope: "everywhere" }];
    town.word("max", bannedAt);
    stage.pass(100);
    expect(hosts.map((tab) => tab.read().byes.length)).toEqual([1, 1, 1]);
    const act = (user: string, askedAt?: number) => {
      const caller = { user, name: user, role: "host" as const, ...(askedAt ? { askedAt } : {}) };
      const action = { id: crypto.randomUUID(), f: "moderation", a: "unban", d: { user: "lee" } };
      return stage.turn(() => stage.room.act(action, caller, stage.now));
    };
    for (const user of ["kim", "lee", "max"]) {
      expect(act(user), user).toMatchObject({ ok: false, refused: { code: "not_allowed" } });
      const caller = { user, name: user, role: "host" as const };
      expect(stage.room.turnsAway(caller, stage.now)?.message, user).toMatch(/You (are banned|were removed)/);
    }
    expect(act("max", bannedAt + 1), "lifted, as the edge knows").toMatchObject({ ok: true });
    stage.pass(60_000);
    expect(act("kim")).toMatchObject({ ok: true });
    stage.check();
  });
});

describe("an admin whom a host banned and muted before anybody knew the role", () => {
  it("[D4] comes in, speaks and stays, whoever says it: the room, or whoever keeps the bans", async () => {
    const town = await Town.open();
    const { stage } = town;
    const hanna = stage.join("hanna", { role: "host" });
    stage.pass(100);
    town.settle();
    ban(town, hanna, "ada", "room");
    stage.do(hanna, "moderation", "mute", { user: "ada" });
    stage.pass(100);
    town.settle();
    town.bans = [{ user: "ada", scope: "room" }];
    expect(isIn(stage.join("ada", { tab: "as a player" }))).toBe(false);
    for (const isKnown of [true, false]) {
      const ada = stage.join("ada", { role: "admin", tab: `${isKnown}`, askedAt: stage.now });
      stage.pass(100);
      town.settle();
      expect(isIn(ada)).toBe(true);
      stage.say(ada, "here I am");
      stage.pass(100);
      expect(ada.read().nacks).toEqual([]);
      stage.do(ada, "moderation", "unban", { user: "ada" });
      stage.leave(ada);
      stage.pass(60_000);
      town.settle();
    }
    stage.check();
  });
});

describe("what a room decides", () => {
  it("[D5] is owed until it is written, once each, the newest of a user", async () => {
    const town = await Town.open();
    const { stage } = town;
    const hanna = stage.join("hanna", { role: "host" });
    stage.pass(100);
    town.settle();
    ban(town, hanna, "ann", "room");
    stage.do(hanna, "moderation", "unban", { user: "ann" });
    ban(town, hanna, "bob", "room");
    stage.pass(100);
    await stage.crash();
    for (let time = 0; time < 10; time++) {
      stage.pass(5_000);
      town.settle();
    }
    expect(town.writes.filter(({ user }) => user === "bob").at(-1)).toEqual({ user: "bob", isLifted: false });
    expect(town.writes.filter(({ user }) => user === "ann").at(-1)).toEqual({ user: "ann", isLifted: true });
    const calls = stage.world.asked.length;
    stage.pass(60_000);
    expect(stage.world.asked.slice(calls).filter(({ name }) => name === "moderation/bans")).toEqual([]);
  });

  it("[D5] has a time of its own, so that none decided in one millisecond is taken for another", async () => {
    const town = await Town.open();
    const { stage } = town;
    const hanna = stage.join("hanna", { role: "host" });
    stage.pass(1_000);
    const told = () =>
      stage.world.asked
        .filter(({ name }) => name === "moderation/bans")
        .flatMap(({ ask }) => (ask as { writes: { at: number }[] }).writes.map(({ at }) => at));
    ban(town, hanna, "ann", "room");
    stage.do(hanna, "moderation", "unban", { user: "ann", scope: "room" });
    stage.pass(100);
    town.settle();
    const [first = 0] = told();
    expect(told()).toEqual([first, first + 1]);
  });

  it("[D5] stands against an older answer from outside while it is on its way", async () => {
    const town = await Town.open();
    const { stage } = town;
    const hanna = stage.join("hanna", { role: "host" });
    stage.pass(100);
    town.settle();
    town.bans = [{ user: "ann", scope: "room" }];
    stage.do(hanna, "moderation", "unban", { user: "ann" });
    const ann = stage.join("ann");
    stage.pass(100);
    const places = town.asked.filter(({ name }) => name === "moderation/places");
    expect(places).toHaveLength(1);
    stage.answer(places[0] as AskedErrand, {
      askedAt: stage.now,
      came: ["ann"],
      gone: [],
      bans: [{ user: "ann", scope: "room" }],
    });
    expect(isIn(ann), "the room has lifted it already").toBe(true);
    stage.check();
  });

  it("[D5] is not undone by an answer of before it was written, which comes after", async () => {
    const town = await Town.open();
    const { stage } = town;
    const hanna = stage.join("hanna", { role: "host" });
    stage.pass(100);
    town.settle();
    stage.do(hanna, "moderation", "unban", { user: "ann" });
    const ann = stage.join("ann");
    stage.pass(100);
    const of = (name: string) => town.asked.find((asked) => asked.name === name) as AskedErrand;
    const [places, bans] = [of("moderation/places"), of("moderation/bans")];
    const { writes } = bans.ask as unknown as { writes: { n: number }[] };
    const askedAt = stage.now;
    stage.answer(bans, { askedAt, done: writes.map(({ n }) => n) });
    stage.pass(1_000);
    stage.answer(places, { askedAt, came: ["ann"], gone: [], bans: [{ user: "ann", scope: "room" }] });
    stage.pass(100);
    expect(isIn(ann)).toBe(true);
    stage.check();
  });

  it("[D4] everywhere is undone where its user turns out to be an admin elsewhere, and no other is", async () => {
    const town = await Town.open();
    const { stage } = town;
    const ada = stage.join("ada", { role: "admin" });
    const bob = stage.join("bob");
    stage.pass(100);
    town.settle();
    town.admins.add("bob");
    for (const user of ["bob", "carl"]) ban(town, ada, user, "everywhere");
    stage.pass(100);
    expect(bob.read().byes).toMatchObject([{ code: 4403 }]);
    town.settle();
    const undone = ada.read().events.filter(({ n }) => n === "unbanned");
    expect(undone).toMatchObject([{ d: { user: "bob", scope: "everywhere" } }]);
    expect(undone[0]).not.toHaveProperty("by");
    expect(isIn(stage.join("bob", { tab: "again" }))).toBe(true);
    expect(isIn(stage.join("carl"))).toBe(false);
    stage.check();
  });

  it("[D5] everywhere holds here at once, whatever an edge believes, until it is written and lifted outside", async () => {
    const town = await Town.open();
    const { stage } = town;
    const ada = stage.join("ada", { role: "admin" });
    const ann = stage.join("ann");
    stage.pass(100);
    ban(town, ada, "ann", "everywhere");
    expect(ann.read().byes).toHaveLength(1);
    stage.pass(1_000);
    expect(isIn(stage.join("ann", { tab: "early", askedAt: stage.now }))).toBe(false);
    town.settle();
    stage.pass(10);
    const later = stage.join("ann", { tab: "later", askedAt: stage.now });
    stage.pass(100);
    expect(isIn(later), "the outside knew of it, and says it is over").toBe(true);
    stage.check();
  });

  it("[R6] [R7] keeps the room until it is written, and nothing else does", async () => {
    const town = await Town.open();
    const { stage } = town;
    const hanna = stage.join("hanna", { role: "host" });
    stage.pass(100);
    ban(town, hanna, "ann", "room");
    stage.leave(hanna);
    for (let time = 0; time < 60; time++) {
      stage.pass(60_000);
      town.lose();
    }
    expect(stage.room.isOver, "it owes").toBe(false);
    // An answer to a call that was given up meanwhile is nobody's.
    for (let time = 0; time < 20; time++) {
      stage.pass(5_000);
      town.settle();
    }
    stage.pass(2_000_000);
    expect(stage.room.isOver).toBe(true);
    expect(stage.world.keys()).toEqual([]);
  });
});
