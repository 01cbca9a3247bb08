import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Door } from "../../src/platform/edge/door";
import { edgeOf } from "../support/edge";
import { KeyServer, sign } from "../support/key-server";

const HALL = "http://127.0.0.1:1999/parties/main/hall";
const issuer = new KeyServer();
let token = "";

beforeAll(async () => {
  await issuer.start();
  const pair = await issuer.make("k1");
  token = await sign(pair, { role: "host", rooms: ["main/*"] });
});
afterAll(() => issuer.stop());

const edge = () => edgeOf({ AUTH_SECRET: "", ...issuer.env });

describe("a server that has an issuer's keys and no AUTH_SECRET", () => {
  it("lets in who has the issuer's token, by socket and over HTTP", async () => {
    expect(await edge().socket(new Request(`${HALL}?token=${token}`), Date.now())).toMatchObject({
      ok: true,
      hello: { user: "ann", role: "host" },
    });
    const headers = { Authorization: `Bearer ${token}` };
    expect(await edge().http(new Request(HALL, { method: "DELETE", headers }), Date.now())).toMatchObject({
      ok: true,
      caller: { user: "ann" },
    });
  });

  it("says what is missing for guests, and when to come back", async () => {
    const bare = await edge().socket(new Request(HALL), Date.now());
    expect(bare).toMatchObject({ ok: false, code: 1012, reason: expect.stringContaining("AUTH_SECRET") });
    const asked = await edge().guest(
      new Request("http://127.0.0.1/auth/guest", { method: "POST" }),
      Date.now(),
    );
    expect(asked.status).toBe(503);
    expect(await asked.json()).toMatchObject({ message: expect.stringContaining("AUTH_SECRET") });
  });

  it("tells so in its health, unless it has no guests either", async () => {
    const health = async (env: Record<string, string>) => {
      const door = new Door(
        { ...issuer.env, ...env },
        { kinds: new Set(["main"]), addressOf: () => undefined },
      );
      return (await door.other(new Request("http://127.0.0.1/health"))).json();
    };
    expect(await health({ GUESTS: "on" })).toMatchObject({
      ok: false,
      problems: ["AUTH_SECRET is not set, so no guest can be let in."],
    });
    expect(await health({})).toMatchObject({
      ok: true,
      problems: [],
      tokens: { hits: 0, misses: 0, held: 0 },
    });
  });
});

describe("a token's rooms", () => {
  it("hold for the issuer's tokens as for any", async () => {
    const elsewhere = new Request(`${HALL.replace("main", "quiz")}?token=${token}`);
    const judged = await edgeOf({ AUTH_SECRET: "", ...issuer.env }, ["main", "quiz"]).socket(
      elsewhere,
      Date.now(),
    );
    expect(judged).toMatchObject({ ok: false, code: 4403 });
  });
});
