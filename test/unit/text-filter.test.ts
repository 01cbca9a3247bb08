import fc from "fast-check";
import { englishDataset, englishRecommendedTransformers, RegExpMatcher, SyntaxKind } from "obscenity";
import { describe, expect, it } from "vitest";
import { chat } from "../../src/features/chat/decide";
import { presence } from "../../src/features/presence/decide";
import { defineKind } from "../../src/room/api/kind";
import { createTextFilter, type ProfanityPolicy } from "../../src/room/inbound/text-filter";
import { englishFilter } from "../../src/text/english-filter";
import { mayMatch } from "../../src/text/prefilter";
import { RoomStage } from "../support/room-stage";

const mask = createTextFilter("mask", englishFilter);

describe("the text filter", () => {
  it.each([
    ["plainly", "what a shit day", "what a **** day"],
    ["in capitals", "SHIT", "****"],
    ["with digits", "5h1t", "****"],
    ["around a number", "f-12-ck", "*******"],
    ["in full width", "ｓｈｉｔ", "****"],
    ["in mathematical letters", "𝕤𝕙𝕚𝕥 𝓼𝓱𝓲𝓽", "**** ****"],
    ["with Cyrillic letters in it", "shіt", "****"],
    ["with nothing but letters of other scripts", "ѕһіт", "****"],
    ["under accents", "s̶h̷ì̴t̀", "*".repeat(8)],
    ["with precomposed accents", "shît", "****"],
    ["with joiners in it", "s\u200bh\u200di\u2060t", "*".repeat(7)],
    ["with a soft hyphen in it", "sh\u00adit", "*****"],
    ["behind direction marks", "\u200fsh\u202eit", "\u200f****"],
    ["with letters doubled", "shiiiiit", "********"],
    ["letter by letter", "s h i t happens", "******* happens"],
    ["with dots between", "s.h.i.t", "*******"],
    ["in small capitals", "ꜱʜɪᴛ", "****"],
    ["in boxes and discs", "\u{1f182}\u{1f177}\u{1f158}\u{1f143}", "****"],
    ["in flags", "\u{1f1f8}\u{1f1ed}\u{1f1ee}\u{1f1f9}", "****"],
    ["under marks of other scripts", "s\u0e47h\u0489i\u093ct\u20dd", "*".repeat(8)],
  ])("the filter finds a word written %s", (_, text, expected) => {
    expect(mask(text)).toBe(expected);
  });

  it.each([
    "A class act, and an assassin in Scunthorpe.",
    "Привет, как дела? Соска и рис.",
    "Καλημέρα κόσμε",
    "नमस्ते दुनिया",
    "ภาษาไทย",
    "👨‍👩‍👧 🏳️‍🌈 1️⃣",
    "a b c d",
    "I. A. M. here",
    "I scored 455 points in room 717, and 4 5 5 before; call 455-717",
    "",
  ])("the filter leaves %j as it is", (text) => {
    expect(mask(text)).toBe(text);
  });

  it("the filter checks the longest line of any characters in a moment", () => {
    const started = performance.now();
    for (const unit of ["s", "sh", "s ", "s.", "ѕ", "💥", "\u0301", "ﷺ", "fu", "|", "a b "])
      mask(unit.repeat(500 / unit.length));
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it("the prefilter never misses a text in which the full check finds a word", () => {
    const matcher = new RegExpMatcher({ ...englishDataset.build(), ...englishRecommendedTransformers });
    const stems = englishDataset.build().blacklistedTerms.map(({ pattern }) =>
      pattern.nodes
        .map((node) => {
          const inner = node.kind === SyntaxKind.Optional ? node.childNode : node;
          return inner.kind === SyntaxKind.Literal ? String.fromCodePoint(...inner.chars) : "x";
        })
        .join(""),
    );
    const leet: Record<string, string> = { a: "@", e: "3", i: "1", o: "0", s: "$", t: "7" };
    let found = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...stems),
        fc.array(fc.tuple(fc.nat({ max: 4 }), fc.integer({ min: 1, max: 3 })), {
          minLength: 20,
          maxLength: 20,
        }),
        fc.string({ maxLength: 8 }),
        (stem, how, around) => {
          const disguised = [...stem]
            .map((letter, at) => {
              const [disguise, times] = how[at % 20] as [number, number];
              const one =
                disguise === 1 ? (leet[letter] ?? letter) : disguise === 2 ? letter.toUpperCase() : letter;
              return one.repeat(disguise === 3 ? times : 1);
            })
            .join("");
          for (const text of [disguised, `${around} ${disguised} ${around}`, around + disguised]) {
            if (!matcher.hasMatch(text)) continue;
            found++;
            expect(mayMatch(text), text).toBe(true);
          }
        },
      ),
      { numRuns: 3_000 },
    );
    expect(found, "the test finds matches to compare").toBeGreaterThan(1_000);
    expect(["hello there", "see you at nine"].map(mayMatch)).toEqual([false, false]);
  });

  it("the filter returns places in order, apart, and inside the text", () => {
    const text = "💥 shit 💥 f u c k shitshit";
    let at = 0;
    for (const { from, to } of englishFilter.find(text)) {
      expect(from).toBeGreaterThanOrEqual(at);
      expect(to).toBeGreaterThan(from);
      at = to;
    }
    expect(at).toBeLessThanOrEqual(text.length);
    expect(at).toBeGreaterThan(0);
  });
});

describe("a kind of room", () => {
  const open = async (words: ProfanityPolicy) => {
    const stage = await RoomStage.open({
      kind: defineKind({ name: "main", features: [presence, chat], words }),
      filter: englishFilter,
    });
    return { stage, ann: stage.join("ann") };
  };
  const textsOf = (tab: Awaited<ReturnType<typeof open>>["ann"]) =>
    tab
      .read()
      .events.filter(({ n }) => n === "said")
      .map(({ d }) => (d as { text: string }).text);

  it("[N1] a kind that masks changes nothing else in a message", async () => {
    const { stage, ann } = await open("mask");
    stage.say(ann, "well, shit!");
    stage.advance(100);
    stage.say(ann, "\u202e");
    stage.do(ann, "presence", "set", { status: "shit" });
    stage.advance(100);
    expect(textsOf(ann)).toEqual(["well, ****!"]);
    expect(ann.nacks).toMatchObject([{ code: "not_allowed" }]);
    expect(ann.events.find(({ n }) => n === "changed")?.d).toEqual({ user: "ann", status: "****" });
    stage.expectNoViolations();
  });

  it("[N1] a kind that rejects rejects the message and the status, and counts neither", async () => {
    const { stage, ann } = await open("reject");
    stage.say(ann, "well, shit!");
    stage.say(ann, "well, well!");
    stage.do(ann, "presence", "set", { status: "shit" });
    stage.advance(100);
    expect(textsOf(ann)).toEqual(["well, well!"]);
    expect(ann.nacks).toMatchObject([{ code: "not_allowed" }, { code: "not_allowed" }]);
    stage.expectNoViolations();
  });

  it("[N1] a kind that allows changes nothing", async () => {
    const { stage, ann } = await open("allow");
    stage.say(ann, "well, shit!");
    stage.advance(100);
    expect(textsOf(ann)).toEqual(["well, shit!"]);
  });

  it("[N1] the kind treats names alike: it masks or rejects them", async () => {
    const masking = await open("mask");
    const bad = masking.stage.join("bob", { name: "Shit Head" });
    masking.stage.advance(100);
    expect(bad.read().welcomes[0]?.you.name).toBe("**** Head");
    masking.stage.say(bad, "hello");
    masking.stage.advance(100);
    expect(bad.read().events.at(-1)?.d).toEqual({ name: "**** Head", text: "hello" });
    const rejecting = await open("reject");
    const out = rejecting.stage.join("bob", { name: "Shit Head" });
    rejecting.stage.advance(100);
    expect(out.read().byes).toMatchObject([{ code: 4403 }]);
    expect(out.welcomes).toEqual([]);
    rejecting.stage.expectNoViolations();
  });
});
