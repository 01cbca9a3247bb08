/** A kind and a room's name as they appear in the URL. */
const ROOM_PATH = /^[a-z][a-z0-9-]{0,31}\/(?!\.\.?$)[\w.-]{1,64}$/;
const HOST = /^(?:(http|ws)(s?):\/\/)?(?!\w+:\/\/)([^\s/?#]+[^\s?#]*?)\/*$/;
/** This machine and those of the local network, which have no certificate. */
const LOCAL =
  /^(localhost|127\.[\d.]+|10\.[\d.]+|192\.168\.[\d.]+|172\.(1[6-9]|2\d|3[01])\.[\d.]+|\[::1\]|[^.]+\.local)(:|$)/;

/** The origin of the rooms, such as `https://example.org`, from `example.org` or `ws://127.0.0.1:1999/`. The default is the page's host. */
export function resolveOrigin(host: string | undefined): string {
  const page: Location | undefined = globalThis.location;
  const given = host ?? page?.host;
  if (!given) throw new TypeError("joinRoom needs a `host` outside a page.");
  const [, scheme, s = "", rest] = HOST.exec(given) ?? [];
  if (rest === undefined) throw new TypeError(`"${given}" is not a host name.`);
  if (scheme) return `http${s}://${rest}`;
  const isPlainHttp = rest === page?.host ? page.protocol === "http:" : LOCAL.test(rest);
  return `http${isPlainHttp ? "" : "s"}://${rest}`;
}

/** What is wrong with a room's name, if anything is. The name is part of the URL, unescaped. */
export function findRoomNameProblem(kind: string, room: string | undefined): string | undefined {
  const path = `${kind}/${room ?? ""}`;
  if (ROOM_PATH.test(path)) return undefined;
  return `${path} is not a room: use 1-64 of A-Z a-z 0-9 . _ -`;
}
