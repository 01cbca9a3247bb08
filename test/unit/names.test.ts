import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codePoints } from "../../src/protocol/codec";
import { Names, toDisplayName } from "../../src/room/state/names";
import { skeleton } from "../../src/text/skeleton";
import { RoomStage } from "../support/room-stage";

describe("the look of a name", () => {
  it.each([
    ["capitals", "Admin", "ADMIN"],
    ["a Cyrillic letter", "Admin", "Аdmin"],
    ["a Greek one", "Tom", "Τom"],
    ["full width", "Ann", "Ａｎｎ"],
    ["a script alphabet", "Ann", "𝒜𝓃𝓃"],
    ["an accent", "Ann", "Änn"],
    ["piled accents", "Ann", "A̸̡̛n̶n"],
    ["a joiner", "Ann", "A\u200dnn"],
    ["a direction mark", "Ann", "\u202eAnn"],
    ["l for I", "Ill", "lll"],
    ["1 for l", "Paul", "Pau1"],
    ["0 for o", "Bob", "B0b"],
    ["rn for m", "Emma", "Ernrna"],
    ["spaces", "Ann Lee", "Ann  Lee "],
    ["punctuation", "Ann_Lee", "Ann-Lee"],
    ["small capitals", "ann", "ᴀɴɴ"],
    ["Cherokee", "HAT", "ᎻᎪᎢ"],
    ["marks around it", "Ann", "A\u0489n\u20ddn"],
    ["a mark of a script that has no such letter", "Ann", "An\u0e47n\u093c"],
    ["letters in boxes", "Ann", "\u{1f130}\u{1f15d}\u{1f17d}"],
    ["letters in brackets", "Ann", "\u{1f110}\u24a9n"],
    ["letters of flags", "Ann", "\u{1f1e6}nn"],
  ])("the name looks the same with %s", (_, one, other) => {
    expect(skeleton(other)).toBe(skeleton(one));
  });

  it.each([
    ["Ann", "Anna"],
    ["Ann", "Ben"],
    ["🔥", "💧"],
    ["王芳", "王方"],
    ["राम", "रमा"],
    ["!!!", "???"],
  ])("the names %s and %s look different", (one, other) => {
    expect(skeleton(other)).not.toBe(skeleton(one));
  });
});

describe("a displayed name", () => {
  it.each([
    ["Ann", "Ann"],
    ["  Ann \u00a0 Lee ", "Ann Lee"],
    ["Ann\u202eeel", "Anneel"],
    ["A\u200bnn", "Ann"],
    ["\u3164\u2800 ", "Someone"],
    ["\u200b", "Someone"],
    ["👨‍👩‍👧", "👨‍👩‍👧"],
    ["🏳️‍🌈", "🏳️‍🌈"],
    ["A\u0301\u0302\u0303\u0304\u0305", "Á\u0302\u0303"],
    ["क्‍ष", "क्‍ष"],
    ["བསྒྲུབས", "བསྒྲུབས"],
    [`\u0e01${"\u0e47".repeat(30)}`, "\u0e01\u0e47"],
    [`\u0e01${"\u0e47\u200d".repeat(30)}`, "\u0e01\u0e47\u200d"],
    [`\u0627${"\u064b\u064c\u064d\u0651".repeat(9)}`, "\u0627\u064b\u064c\u064d\u0651"],
    [`A${"\u0302\ufe0f".repeat(9)}\u0303\u0304`, "\u00c2\u0302"],
    ["1\ufe0f\u20e3 ❤️", "1\ufe0f\u20e3 ❤️"],
  ])("the name of %j is %j", (name, shown) => {
    expect(toDisplayName(name)).toBe(shown);
  });

  it("the result is always a valid name, and stays the same when it is cleaned again", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 60 }), (name) => {
        const shown = toDisplayName(name);
        expect(codePoints(shown)).toBeGreaterThan(0);
        expect(codePoints(shown)).toBeLessThanOrEqual(40);
        expect(toDisplayName(shown)).toBe(shown);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("two members whose names look alike", () => {
  it("[N2] the later of the two gets a suffix in the list, in chat and in its own welcome", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { name: "Ann" });
    const other = stage.join("other", { name: "Аnn" });
    stage.advance(100);
    expect(ann.read().welcomes[0]?.you.name).toBe("Ann");
    expect(other.read().welcomes[0]?.you.name).toBe("Аnn (2)");
    stage.say(other, "I am Ann");
    stage.advance(100);
    expect(ann.read().slices).toMatchObject({
      presence: { members: { ann: { name: "Ann" }, other: { name: "Аnn (2)" } } },
      chat: { messages: [{ name: "Аnn (2)" }] },
    });
    stage.expectNoViolations();
  });

  it("[N2] the names stay over reconnects, tabs and restarts, and are released when the members leave", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { name: "Ann" });
    const other = stage.join("other", { name: "ANN" });
    stage.advance(100);
    stage.leave(other);
    stage.rejoin(other, { name: "ANN" });
    stage.advance(100);
    expect(other.read().welcomes.at(-1)?.you.name).toBe("ANN (2)");
    expect(
      ann.read().events.filter(({ n }) => n === "joined"),
      "a reconnect is not announced",
    ).toHaveLength(1);
    await stage.crash();
    const third = stage.join("third", { name: "ann" });
    stage.advance(100);
    expect(third.read().welcomes[0]?.you.name).toBe("ann (3)");
    stage.advance(60_000);
    const late = stage.join("late", { name: "ANN" });
    stage.advance(100);
    expect(late.read().welcomes[0]?.you.name, "both have left").toBe("ANN");
    stage.expectNoViolations();
  });

  it("[N2] two displayed names never look alike, for any number of members with names of any length", () => {
    const names = new Names();
    const taken = new Set<string>();
    for (let user = 0; user < 3_000; user++) {
      const name = names.makeDistinct(
        `user${user}`,
        user % 3 === 0 ? "x".repeat(40) : user % 3 === 1 ? "Guest (2)" : "Guest",
      );
      names.take(`user${user}`, name);
      expect(codePoints(name)).toBeLessThanOrEqual(40);
      taken.add(skeleton(name));
    }
    expect(taken.size).toBe(3_000);
  });
});

describe("a guest", () => {
  it("[N3] a guest is marked, and no other user is", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.join("guest-x", { guest: true });
    stage.advance(100);
    const { members } = ann.read().slices.presence as { members: Record<string, object> };
    expect(members["guest-x"]).toMatchObject({ guest: true });
    expect(members.ann).not.toHaveProperty("guest");
    stage.expectNoViolations();
  });
});
