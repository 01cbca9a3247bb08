import type { Hello } from "../../room/hello";
import { encodeHello, HELLO_HEADER } from "./hello-header";

/**
 * What a room is handed is a request of our own making. Nothing of the client's goes on: no header that could pose as
 * the edge's, no query with a token in it for a runtime to keep, no `_pk` that two sockets could share.
 */
export function forwardSocket(kind: string, id: string, hello: Hello): Request {
  return new Request(`http://room/parties/${kind}/${id}?_pk=${hello.conn}`, {
    headers: { Upgrade: "websocket", [HELLO_HEADER]: encodeHello(hello) },
  });
}
