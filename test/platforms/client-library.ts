import { describe, expect, it } from "vitest";
import WebSocket from "ws";
import { type ActionError, joinRoom } from "../../src/client/room-client";
import type { PlatformStage } from "./platform-stage";

/** Our own client against the real server, in Node with `ws` for a socket. */
export function describeClientLibrary(stage: PlatformStage): void {
  describe("the client library", () => {
    const store = () => {
      const kept = new Map<string, string>();
      return {
        getItem: (key: string) => kept.get(key) ?? null,
        setItem: (key: string, value: string) => void kept.set(key, value),
        removeItem: (key: string) => void kept.delete(key),
      };
    };
    const join = (room: string, name: string, storage = store()) =>
      joinRoom({ host: stage.server.http, kind: "main", room, name, storage, WebSocket }).joined();

    it("[T7] the client joins as a guest, talks, and is the same guest the next time", async () => {
      const room = stage.makeRoomName("library");
      const storage = store();
      const [ann, bob] = await Promise.all([join(room, "Ann", storage), join(room, "Bob")]);
      const heard = new Promise<string>((resolve) => bob.on("chat.said", ({ d }) => resolve(d.text)));
      const done = await ann.do("chat", "say", { text: "Hello" });
      expect(done).toMatchObject({ n: "said", d: { name: "Ann", text: "Hello" }, by: ann.you?.user });
      expect(await heard).toBe("Hello");
      expect(bob.state.chat.messages.map(({ text }) => text)).toEqual(["Hello"]);
      expect(Object.keys(bob.state.presence.members)).toHaveLength(2);
      await expect(ann.do("chat", "remove", { id: 999 })).rejects.toMatchObject({
        code: "conflict",
      } satisfies Partial<ActionError>);
      expect(await ann.verify()).toMatchObject({ differing: [] });
      expect(Math.abs(ann.clock.now() - Date.now())).toBeLessThan(2_000);
      const before = ann.you?.user;
      ann.leave();
      const again = await join(room, "Ann", storage);
      expect(again.you?.user).toBe(before);
      for (const client of [bob, again]) client.leave();
    });

    it("[T8] the client renews a token before it ends, without a gap for any user", async () => {
      const room = stage.makeRoomName("library-renewal");
      const options = { host: stage.server.http, kind: "main", room, WebSocket } as const;
      let asked = 0;
      const getToken = () => {
        asked++;
        // A whole second may be lost to rounding.
        return stage.mintToken({ sub: "ann", name: "Ann" }, { expiresIn: 6 });
      };
      const bob = await join(room, "Bob");
      const ann = await joinRoom({ ...options, getToken }).joined();
      const seen: string[] = [];
      ann.on("status", ({ is }) => seen.push(is));
      ann.on("fresh", () => seen.push("fresh"));
      bob.on("presence.left", () => seen.push("left"));
      const firstEndsAt = Date.now() + 7_000;
      for (let n = 0; Date.now() < firstEndsAt; n++) {
        await ann.do("chat", "say", { text: `number ${n}` });
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
      expect(asked).toBeGreaterThanOrEqual(2);
      expect(ann.counts.connections).toBe(asked);
      expect(seen).toEqual([]);
      const { seq } = ann.position;
      for (const client of [ann, bob]) expect(await client.verify()).toMatchObject({ seq, differing: [] });
      for (const client of [ann, bob]) client.leave();
    });

    it("[T1] the client joins with a token, and learns why when that is refused", async () => {
      const room = stage.makeRoomName("library-token");
      const options = { host: stage.server.http, kind: "main", room, WebSocket } as const;
      const ann = await joinRoom({
        ...options,
        getToken: () => stage.mintToken({ sub: "ann", name: "Ann", role: "player" }),
      }).joined();
      expect(ann.you).toMatchObject({ user: "ann", name: "Ann" });
      ann.leave();
      const bad = joinRoom({ ...options, token: "not.a.token" });
      await expect(bad.joined()).rejects.toThrow(/./);
      expect(bad.status).toMatchObject({ is: "ended", code: 4401 });
      const nowhere = joinRoom({ ...options, room: "no/room", name: "Ann" });
      await expect(nowhere.joined()).rejects.toThrow("main/no/room is not a room: use");
      expect(nowhere.status).toMatchObject({ is: "ended", code: 4404 });
    });
  });
}
