// `ws` on Node as most people write it: each message goes to everybody in the room at once.
// With --framed: `ws` with frames like Tallyroom's, numbered, but neither validated nor stored nor recoverable.
import { WebSocketServer } from "ws";
import { framedRoom } from "./framed-room.mjs";

const framed = process.argv.includes("--framed");
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.env.PORT),
  clientTracking: false,
});
const rooms = new Map();

server.on("connection", (socket, request) => {
  const id = request.url;
  const room = rooms.get(id) ?? (framed ? framedRoom() : plainRoom());
  rooms.set(id, room);
  room.join(socket);
  socket.on("message", (data) => room.say(data));
  socket.on("close", () => room.leave(socket));
});

function plainRoom() {
  const sockets = new Set();
  return {
    join: (socket) => sockets.add(socket),
    leave: (socket) => sockets.delete(socket),
    say(data) {
      for (const socket of sockets) socket.send(data, { binary: false });
    },
  };
}
