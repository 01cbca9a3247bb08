import { routePartykitRequest, Server } from "partyserver";

// The room that PartyKit's own examples show: whatever somebody says is sent to everybody, at once.
export class Naive extends Server {
  static options = { hibernate: true };

  onMessage(_connection, message) {
    this.broadcast(message);
  }
}

// The same, made to keep what was said. A new key each time: a write of unchanged bytes would be skipped, and look too cheap.
export class Stored extends Server {
  static options = { hibernate: true };
  #next;

  async onStart() {
    const [last] = (await this.ctx.storage.list({ prefix: "m:", reverse: true, limit: 1 })).keys();
    this.#next = last === undefined ? 0 : Number(last.slice(2)) + 1;
  }

  async onMessage(_connection, message) {
    const key = `m:${String(this.#next++).padStart(12, "0")}`;
    await this.ctx.storage.put(key, message);
    this.broadcast(message);
  }
}

export default {
  async fetch(request, env) {
    return (await routePartykitRequest(request, env)) ?? new Response("not found", { status: 404 });
  },
};
