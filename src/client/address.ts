/** A kind and a room's name, as they stand in the address. */
const ROOM = /^[a-z][a-z0-9-]{0,31}\/(?!\.\.?$)[\w.-]{1,64}$/;
const HOST = /^(?:(http|ws)(s?):\/\/)?(?!\w+:\/\/)([^\s/?#]+[^\s?#]*?)\/*$/;
/** Machines of one's own and of one's own network, which have no certificate. */
const LOCAL =
  /^(localhost|127\.[\d.]+|10\.[\d.]+|192\.168\.[\d.]+|172\.(1[6-9]|2\d|3[01])\.[\d.]+|\[::1\]|[^.]+\.local)(:|$)/;

/** Where the rooms are, `https://example.org`: from `example.org`, `ws://127.0.0.1:1999/`; the page's own host if absent. */
export function originOf(host: string | undefined): string {
  const page: Location | undefined = globalThis.location;
  const wanted = host ?? page?.host;
  if (!wanted) throw new TypeError("joinRoom needs a `host` outside a page.");
  const [, scheme, s = "", rest] = HOST.exec(wanted) ?? [];
  if (rest === undefined) throw new TypeError(`"${wanted}" is no host, as play.example.org is.`);
  if (scheme) return `http${s}://${rest}`;
  const isOpen = rest === page?.host ? page.protocol === "http:" : LOCAL.test(rest);
  return `http${isOpen ? "" : "s"}://${rest}`;
}

/** What is wrong with a room's name, if anything is: it stands in the address as it is. */
export function problemOf(kind: string, room: string | undefined): string | undefined {
  const path = `${kind}/${room ?? ""}`;
  if (ROOM.test(path)) return undefined;
  return `${path} is no room: a name is 1 to 64 letters, digits, dots, dashes and underscores.`;
}
