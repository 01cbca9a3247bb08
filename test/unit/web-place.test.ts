import { expect, test } from "vitest";
import { linkTo, readName, readRoom, roomInAddress } from "../../web/play/place";

test("a room is what a room's address can hold, with spaces as dashes", () => {
  expect(readRoom(" Friday  quiz ")).toBe("Friday-quiz");
  expect(readRoom("a".repeat(64))).toBe("a".repeat(64));
  for (const odd of ["", "  ", ".", "..", "a/b", "café", "a".repeat(65), "<b>"])
    expect(readRoom(odd)).toBeUndefined();
});

test("a name is 1 to 40 characters as a person counts them, without any that nobody sees", () => {
  expect(readName("  Ann\u0000 \n Lee ")).toBe("Ann Lee");
  expect(readName("🎲".repeat(40))).toBe("🎲".repeat(40));
  expect(readName("Ann 👩‍🚀")).toBe("Ann 👩‍🚀");
  for (const odd of ["", " \t", "x".repeat(41)]) expect(readName(odd)).toBeUndefined();
});

test("the address leads to a room by its hash or its query, and the link to share is read back as the same room", () => {
  const page = "https://play.example/here/";
  expect(roomInAddress(new URL(`${page}#hall`))).toBe("hall");
  expect(roomInAddress(new URL(`${page}?room=hall`))).toBe("hall");
  expect(roomInAddress(new URL(`${page}?room=other#hall`))).toBe("hall");
  for (const odd of ["", "#", "#%", "#a/b", "?room="])
    expect(roomInAddress(new URL(page + odd))).toBeUndefined();
  const link = linkTo("Friday-quiz", new URL(`${page}?room=other#x`));
  expect(link).toBe(`${page}#Friday-quiz`);
  expect(roomInAddress(new URL(link))).toBe("Friday-quiz");
});
