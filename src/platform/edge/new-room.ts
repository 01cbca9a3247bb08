import type { AddressDesk } from "../addresses/address-desk";
import type { Denial } from "./denial";
import { decodeHello, HELLO_HEADER } from "./hello-header";

/** Whom a request of ours names whose room may have to begin: absent for admins, who may as they like. */
export const BEGINS_HEADER = "x-tallyroom-begins";

/** Of a request that the edge let on, to a room that does not exist yet. What it wakes is an object with nothing in it. */
export async function mayBegin(forwarded: Request, desk: AddressDesk): Promise<Denial | undefined> {
  const hello = decodeHello(forwarded.headers.get(HELLO_HEADER));
  if (hello) return hello.role === "admin" ? undefined : desk.take(hello.from, [{ rule: "newRoom" }]);
  const begins = forwarded.headers.get(BEGINS_HEADER);
  return begins === null ? undefined : desk.take(begins, [{ rule: "newRoom" }]);
}
