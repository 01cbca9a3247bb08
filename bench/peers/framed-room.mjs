/** The window of src/room's frames: sending takes at most about half of the room's time. */
const windowMs = (peers) => Math.min(100, Math.max(5, peers * 0.033));

/** A room that sends the first message of a quiet moment at once, and what follows within the window together. */
export function framedRoom() {
  const sockets = new Set();
  let open = [];
  let timer;
  let seq = 0;

  function flush() {
    timer = undefined;
    if (open.length === 0) return;
    seq += open.length;
    const frame = Buffer.from(`{"t":"frame","seq":${seq},"at":${Date.now()},"e":[${open.join(",")}]}`);
    open = [];
    for (const socket of sockets) socket.send(frame, { binary: false });
    timer = setTimeout(flush, windowMs(sockets.size));
  }

  return {
    join: (socket) => sockets.add(socket),
    leave: (socket) => sockets.delete(socket),
    say(data) {
      open.push(`{"f":"chat","n":"said","d":${data}}`);
      if (timer === undefined) flush();
    },
  };
}
