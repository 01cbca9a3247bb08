/** `undefined` without a bearer token; empty if the header has the scheme and no token. */
export function readBearerToken({ headers }: Request): string | undefined {
  const found = /^bearer(?: +(\S*))?$/i.exec(headers.get("Authorization") ?? "");
  return found ? (found[1] ?? "") : undefined;
}
