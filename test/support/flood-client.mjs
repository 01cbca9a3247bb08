// A client that sends as fast as its socket takes, in a process of its own so that it slows no clock but the
// server's. After a `bye` it goes on sending as long as its socket is open, and comes back as soon as partysocket would that
// takes no notice of it. The second argument says what it sends. `stop` on standard input ends it.
import { WebSocket } from "ws";

const url = process.argv[2] ?? "";
const what = process.argv[3] ?? "lines";
const stats = { sent: 0, connects: 0, byes: /** @type {Record<string, number>} */ ({}), firstPauseMs: 0 };
let isStopped = false;
/** What a socket may have queued before it is left to send. */
const MAX_BUFFERED_BYTES = 256 * 1024;
const BURST = 200;
const RETRY_MS = 1_000;

function connect() {
  if (isStopped) return;
  stats.connects++;
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on("open", () => flood(socket));
  socket.on("message", (data) => {
    const text = String(data);
    if (text === "pong") return;
    const message = JSON.parse(text);
    if (message.t !== "bye") return;
    stats.byes[message.code] = (stats.byes[message.code] ?? 0) + 1;
    stats.firstPauseMs ||= message.retryAfterMs ?? 0;
  });
  socket.on("error", () => undefined);
  socket.on("close", () => setTimeout(connect, RETRY_MS));
}

/** @param {WebSocket} socket */
function flood(socket) {
  if (isStopped) return socket.terminate();
  if (socket.readyState !== WebSocket.OPEN) return;
  for (let n = 0; n < BURST && socket.bufferedAmount < MAX_BUFFERED_BYTES; n++) {
    socket.send(nextMessage());
    stats.sent++;
  }
  setImmediate(() => flood(socket));
}

function nextMessage() {
  if (what === "pings") return "ping";
  if (what === "seens") return JSON.stringify({ t: "seen", seq: stats.sent });
  return JSON.stringify({ t: "do", id: `f${stats.sent}`, f: "chat", a: "say", d: { text: "flood" } });
}

process.stdin.on("data", () => {
  isStopped = true;
  process.stdout.write(JSON.stringify(stats), () => process.exit());
});
process.stdin.on("end", () => process.exit());
connect();
