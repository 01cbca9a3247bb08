import { base64url } from "jose";

/** Any text as ASCII that is safe in a header. */
export function textToBase64url(text: string): string {
  return base64url.encode(text);
}

/** `undefined` where that is not what it is. */
export function base64urlToText(encoded: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(base64url.decode(encoded));
  } catch {
    return undefined;
  }
}
