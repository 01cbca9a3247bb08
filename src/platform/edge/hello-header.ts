import { base64urlToText, textToBase64url } from "../../identity/base64url";
import { roles } from "../../protocol/codes";
import type { Hello } from "../../room/hello";

/** Carries who is speaking from the edge into the room. Only the edge writes it: see `forward.ts`. */
export const HELLO_HEADER = "x-tallyroom-hello";

/** JSON in base64url: a header is ASCII, and a name need not be. */
export function encodeHello(hello: Hello): string {
  return textToBase64url(JSON.stringify(hello));
}

/** `undefined` for anything that the edge has not written. */
export function decodeHello(header: string | null): Hello | undefined {
  const text = header ? base64urlToText(header) : undefined;
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isHello(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

type Unproven = { readonly [key in keyof Hello]?: unknown };

function isHello(value: unknown): value is Hello {
  if (typeof value !== "object" || value === null) return false;
  const hello: Unproven = value;
  return (
    [hello.conn, hello.user, hello.name, hello.tab].every(
      (text) => typeof text === "string" && text !== "",
    ) &&
    roles.some((role) => role === hello.role) &&
    typeof hello.guest === "boolean" &&
    (hello.allRooms === undefined || hello.allRooms === true) &&
    Number.isSafeInteger(hello.expiresAt) &&
    (hello.askedAt === undefined || Number.isSafeInteger(hello.askedAt)) &&
    (hello.openedAt === undefined || Number.isSafeInteger(hello.openedAt)) &&
    (hello.epoch === undefined || typeof hello.epoch === "string") &&
    (hello.since === undefined || Number.isSafeInteger(hello.since)) &&
    [hello.token, hello.from].every((text) => text === undefined || typeof text === "string")
  );
}
