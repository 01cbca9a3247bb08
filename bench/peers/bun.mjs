// Bun's own publish: the fan-out is native code.
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  fetch(request) {
    return server.upgrade(request, { data: { room: new URL(request.url).pathname } })
      ? undefined
      : new Response("not found", { status: 404 });
  },
  websocket: {
    perMessageDeflate: false,
    open: (socket) => socket.subscribe(socket.data.room),
    message(socket, message) {
      server.publish(socket.data.room, message);
    },
  },
});
