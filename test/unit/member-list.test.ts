import { describe, expect, it } from "vitest";
import { forwardCall, readForwardedCall } from "../../src/edge/forwarded-call";
import { main } from "../../src/kinds/main";
import { answerCall } from "../../src/platforms/room-http";
import { MAX_MEMBERS_A_PAGE } from "../../src/protocol/limits";
import type { MemberPage } from "../../src/room/delivery/member-list";
import { RoomStage } from "../support/room-stage";
import { forgeToken, makeClaims, NOW, openTestEdge } from "../support/test-edge";

const HALL = "/parties/main/hall";
const host = forgeToken(makeClaims({ sub: "hana", name: "Hana 🎲", role: "host", rooms: ["main/hall"] }));
const admin = forgeToken(makeClaims({ sub: "root", role: "admin" }));

type Page = Partial<MemberPage> & { users?: number; code?: string };

/** A request from the edge into the room and back, as on a platform. */
async function look(stage: RoomStage, token?: string, query = ""): Promise<Page> {
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const judged = await openTestEdge().authorizeCall(
    new Request(`http://127.0.0.1:1999${HALL}${query}`, { headers }),
    NOW,
  );
  if (!judged.ok) return judged.body as Page;
  const call = await readForwardedCall(forwardCall(judged));
  return (await answerCall(stage.room, call, stage.now).json()) as Page;
}

describe("a GET of a room", () => {
  it("[H4] a host or an admin sees the members, in the order in which they came", async () => {
    const stage = await RoomStage.open({ kind: main });
    const ann = stage.join("ann", { name: "Ann" });
    stage.join("ann", { tab: "second" });
    stage.advance(1_000);
    stage.join("guest-1", { guest: true, name: "Gus", from: "hash-of-a-house1" });
    stage.advance(100);
    const cameAt = stage.now - 1_100;
    for (const token of [host, admin]) {
      const { users, members, cursor } = await look(stage, token);
      expect([users, cursor]).toEqual([2, undefined]);
      expect(members).toEqual([
        { user: "ann", name: "Ann", role: "player", since: cameAt, connections: 2 },
        { user: "guest-1", name: "Gus", role: "player", guest: true, since: cameAt + 1_000, connections: 1 },
      ]);
    }
    for (const tab of stage.tabs.filter(({ user }) => user === ann.user)) stage.leave(tab);
    expect((await look(stage, host)).members?.[0], "a user who may still come back").toMatchObject({
      user: "ann",
      connections: 0,
    });
  });

  it("[H4] any other user sees no members, with any token", async () => {
    const stage = await RoomStage.open({ kind: main });
    stage.join("ann");
    const summary = await look(stage);
    expect(summary).toMatchObject({ users: 1 });
    const others = [
      forgeToken(makeClaims({ sub: "ann" })),
      forgeToken(makeClaims({ sub: "eve", role: "host", rooms: ["main/other"] })),
      forgeToken(makeClaims({ sub: "hana", role: "host", rooms: ["main/hall"], exp: 1 })),
      "nonsense",
      "",
    ];
    for (const token of others) expect(await look(stage, token, "?cursor=x")).toEqual(summary);
  });

  it("[H4] a host who was banned or kicked here sees no members", async () => {
    const stage = await RoomStage.open({ kind: main });
    const root = stage.join("root", { role: "admin" });
    stage.join("hana", { role: "host" });
    stage.do(root, "moderation", "kick", { user: "hana" });
    stage.advance(100);
    expect(await look(stage, host)).not.toHaveProperty("members");
    stage.advance(60_000);
    expect(await look(stage, host)).toHaveProperty("members");
  });

  it("[H4] the members come in pages", async () => {
    const stage = await RoomStage.open({ kind: main, settings: { maxUsers: 3_000 } });
    const total = 2 * MAX_MEMBERS_A_PAGE + 5;
    for (let n = 0; n < total; n++) stage.join(`user${n}`, { keepsLastOnly: true });
    stage.advance(5_000);
    const seen: string[] = [];
    let query = "";
    for (let page = 1; page <= 3; page++) {
      const { members = [], cursor } = await look(stage, host, query);
      seen.push(...members.map(({ user }) => user));
      expect(cursor === undefined).toBe(page === 3);
      query = `?cursor=${cursor}`;
    }
    expect(seen).toEqual(Array.from({ length: total }, (_, n) => `user${n}`));
    expect(await look(stage, host, "?cursor=-1")).toMatchObject({ code: "bad_data" });
  });
});
