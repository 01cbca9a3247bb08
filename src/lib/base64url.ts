/** Bytes in the URL-safe alphabet of RFC 4648, section 5, without padding. */
export function encodeBase64url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Throws if the text is not base64url. */
export function decodeBase64url(encoded: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(encoded)) throw new TypeError("The text is not base64url.");
  const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Encodes any text as ASCII that is safe in a header. */
export function textToBase64url(text: string): string {
  return encodeBase64url(new TextEncoder().encode(text));
}

/** `undefined` if the input is not base64url, or does not encode UTF-8. */
export function base64urlToText(encoded: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(decodeBase64url(encoded));
  } catch {
    return undefined;
  }
}
