import { expect, test } from "vitest";
import { parseRoomLink, parseRoomName, parseUserName, toRoomLink } from "../../web/play/place";

test("a room name is what a room's address can contain, with spaces as dashes", () => {
  expect(parseRoomName(" Friday  quiz ")).toBe("Friday-quiz");
  expect(parseRoomName("a".repeat(64))).toBe("a".repeat(64));
  for (const odd of ["", "  ", ".", "..", "a/b", "café", "a".repeat(65), "<b>"])
    expect(parseRoomName(odd)).toBeUndefined();
});

test("a user name is 1 to 40 characters as a person counts them, without invisible ones", () => {
  expect(parseUserName("  Ann\u0000 \n Lee ")).toBe("Ann Lee");
  expect(parseUserName("🎲".repeat(40))).toBe("🎲".repeat(40));
  expect(parseUserName("Ann 👩‍🚀")).toBe("Ann 👩‍🚀");
  for (const odd of ["", " \t", "x".repeat(41)]) expect(parseUserName(odd)).toBeUndefined();
});

test("the page's address names a room by its hash or its query, and the shared link is read as the same room", () => {
  const page = "https://play.example/here/";
  expect(parseRoomLink(new URL(`${page}#hall`))).toBe("hall");
  expect(parseRoomLink(new URL(`${page}?room=hall`))).toBe("hall");
  expect(parseRoomLink(new URL(`${page}?room=other#hall`))).toBe("hall");
  for (const odd of ["", "#", "#%", "#a/b", "?room="])
    expect(parseRoomLink(new URL(page + odd))).toBeUndefined();
  const link = toRoomLink("Friday-quiz", new URL(`${page}?room=other#x`));
  expect(link).toBe(`${page}#Friday-quiz`);
  expect(parseRoomLink(new URL(link))).toBe("Friday-quiz");
});
