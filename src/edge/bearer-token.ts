/** `undefined` where there is none; the empty text where the scheme stands alone. */
export function readBearerToken({ headers }: Request): string | undefined {
  const found = /^bearer(?: +(\S*))?$/i.exec(headers.get("Authorization") ?? "");
  return found ? (found[1] ?? "") : undefined;
}
