import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRoomPattern, matchesRoom } from "../../src/identity/room-pattern";

describe("a token's rooms", () => {
  it("a room matches its own name, and a star matches any characters within one part", () => {
    const good = ["main/hall", "main/*", "*/hall", "*/*", "main/h*l", "m*n/ha*", "main/*hall*", "main/**"];
    for (const pattern of good) expect(matchesRoom([pattern], "main", "hall"), pattern).toBe(true);
    const other = ["main/Hall", "main/hal", "main/halls", "quiz/*", "main/h*x", "*/x", "main/?all", "ma/in*"];
    for (const pattern of other) expect(matchesRoom([pattern], "main", "hall"), pattern).toBe(false);
  });

  it("a room matches if one pattern does, and never without patterns", () => {
    expect(matchesRoom(["quiz/*", "main/hall"], "main", "hall")).toBe(true);
    expect(matchesRoom([], "main", "hall")).toBe(false);
  });

  it("a dot matches only a dot", () => {
    expect(matchesRoom(["main/a.b"], "main", "a.b")).toBe(true);
    expect(matchesRoom(["main/a.b"], "main", "axb")).toBe(false);
  });

  it("a pattern has the form kind/id and no other", () => {
    for (const good of ["main/hall", "*/*", "a.b-c_d/*x*", `${"k".repeat(64)}/${"r".repeat(64)}`]) {
      expect(isRoomPattern(good), good).toBe(true);
    }
    const bad = [
      "",
      "*",
      "/",
      "main",
      "main/",
      "/hall",
      "main/hall/x",
      "main/ha ll",
      "main/hall\n",
      "mäin/x",
      7,
      null,
    ];
    for (const odd of [...bad, `main/${"r".repeat(65)}`]) expect(isRoomPattern(odd), String(odd)).toBe(false);
  });

  it("the patterns agree with a regular expression on every input", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "."), minLength: 1, maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (part, id) => {
        const model = new RegExp(`^${part.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
        expect(matchesRoom([`k/${part}`], "k", id)).toBe(model.test(id));
        expect(matchesRoom([`${part}/k`], id, "k")).toBe(model.test(id));
      }),
      { numRuns: 20_000 },
    );
  });

  it("a pattern with any number of stars is matched quickly", () => {
    const begun = performance.now();
    for (let i = 0; i < 1_000; i++) matchesRoom([`main/${"*a".repeat(31)}b`], "main", "a".repeat(64));
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});
