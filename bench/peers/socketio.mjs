// Socket.IO on Node, as its guide has it: join a room, emit to the room.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"] });

io.on("connection", (socket) => {
  const room = socket.handshake.query.room;
  socket.join(room);
  socket.on("say", (message) => io.to(room).emit("said", message));
});

http.listen(Number(process.env.PORT), "127.0.0.1");
