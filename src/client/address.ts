/** Where the rooms are: what partysocket is told, and what HTTP goes to. */
export interface Place {
  host: string;
  isSecure: boolean;
}

/** A kind and a room's name, as they stand in the address. */
const ROOM = /^[a-z][a-z0-9-]{0,31}\/(?!\.\.?$)[\w.-]{1,64}$/;
const HOST = /^(?:(https?|wss?):\/\/)?(?!\w+:\/\/)([^\s/?#]+[^\s?#]*?)\/*$/;
/** Machines of one's own and of one's own network, which have no certificate. */
const LOCAL =
  /^(localhost|127\.[\d.]+|10\.[\d.]+|192\.168\.[\d.]+|172\.(1[6-9]|2\d|3[01])\.[\d.]+|\[::1\]|[^.]+\.local)(:|$)/;

/** `example.org`, `https://example.org/`, `ws://127.0.0.1:1999`; the page's own host if absent. */
export function placeOf(host: string | undefined): Place {
  const page = typeof location === "undefined" ? undefined : location;
  const wanted = host ?? page?.host;
  if (!wanted) throw new TypeError("joinRoom needs a `host` where there is no page that came from one.");
  const [, scheme, rest] = HOST.exec(wanted) ?? [];
  if (rest === undefined)
    throw new TypeError(`"${wanted}" is no host: it is given as play.example.org, say.`);
  if (scheme) return { host: rest, isSecure: scheme === "https" || scheme === "wss" };
  if (rest === page?.host) return { host: rest, isSecure: page.protocol === "https:" };
  return { host: rest, isSecure: !LOCAL.test(rest) };
}

export function httpOf({ host, isSecure }: Place): string {
  return `${isSecure ? "https" : "http"}://${host}`;
}

/** What is wrong with a room's name, if anything is: it stands in the address as it is. */
export function problemOf(kind: string, room: string | undefined): string | undefined {
  const path = `${kind}/${room ?? ""}`;
  if (ROOM.test(path)) return undefined;
  return `${path} is no room: a name is 1 to 64 letters, digits, dots, dashes and underscores.`;
}
