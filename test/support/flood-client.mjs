// A client that sends as fast as its socket takes, in a process of its own so that it slows nobody's clock but the
// server's. Told `bye`, it goes on sending as long as its socket is open, and comes back as soon as partysocket would that
// takes no notice of it. The second argument says what it sends. `stop` on standard input ends it.
import { WebSocket } from "ws";

const url = process.argv[2] ?? "";
const what = process.argv[3] ?? "lines";
const did = { sent: 0, connects: 0, byes: /** @type {Record<string, number>} */ ({}), firstPauseMs: 0 };
let stopped = false;
/** What a socket may have queued before it is left to send. */
const FULL_BYTES = 256 * 1024;
const BURST = 200;
const RETRY_MS = 1_000;

function connect() {
  if (stopped) return;
  did.connects++;
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on("open", () => flood(socket));
  socket.on("message", (data) => {
    const text = String(data);
    if (text === "pong") return;
    const told = JSON.parse(text);
    if (told.t !== "bye") return;
    did.byes[told.code] = (did.byes[told.code] ?? 0) + 1;
    did.firstPauseMs ||= told.retryAfterMs ?? 0;
  });
  socket.on("error", () => undefined);
  socket.on("close", () => setTimeout(connect, RETRY_MS));
}

/** @param {WebSocket} socket */
function flood(socket) {
  if (stopped) return socket.terminate();
  if (socket.readyState !== WebSocket.OPEN) return;
  for (let n = 0; n < BURST && socket.bufferedAmount < FULL_BYTES; n++) {
    socket.send(message());
    did.sent++;
  }
  setImmediate(() => flood(socket));
}

function message() {
  if (what === "pings") return "ping";
  if (what === "seens") return JSON.stringify({ t: "seen", seq: did.sent });
  return JSON.stringify({ t: "do", id: `f${did.sent}`, f: "chat", a: "say", d: { text: "flood" } });
}

process.stdin.on("data", () => {
  stopped = true;
  process.stdout.write(JSON.stringify(did), () => process.exit());
});
process.stdin.on("end", () => process.exit());
connect();
