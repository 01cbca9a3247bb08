import { WebSocket as PartySocket } from "partysocket";

/** Longer than the session's own timeouts, so that partysocket never ends a connection. */
const CONNECTION_TIMEOUT_MS = 600_000;

export type { PartySocket };

/** One socket. The session decides when to connect again, so partysocket is told not to. */
export function openSocket(
  getUrl: () => string,
  WebSocket: unknown,
  onOpen: () => void,
  onMessage: (text: string) => void,
  onClosed: (code: number, reason: string) => void,
): PartySocket {
  const socket = new PartySocket(getUrl, [], {
    WebSocket,
    startClosed: true,
    shouldReconnectOnClose: () => false,
    // The session keeps what is to be sent.
    maxEnqueuedMessages: 0,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
  });
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") onMessage(data);
  });
  socket.addEventListener("open", onOpen);
  // partysocket reports 1000 for any socket that broke. The reason is shown only where it is the room's own.
  socket.addEventListener("close", ({ code, reason }) =>
    onClosed(code === 1000 ? 1006 : code, code > 4000 ? reason : ""),
  );
  // An invalid URL causes an error without a close, and partysocket would then try again by itself.
  socket.addEventListener("error", () => onClosed(1006, ""));
  socket.reconnect();
  return socket;
}
