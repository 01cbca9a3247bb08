import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Gateway } from "../../src/edge/gateway";
import { answerOps } from "../../src/worker/ops";
import { KeyServer, signIssuerToken } from "../support/key-server";
import { openTestEdge } from "../support/test-edge";

const HALL = "http://127.0.0.1:1999/parties/main/hall";
const issuer = new KeyServer();
let token = "";

beforeAll(async () => {
  await issuer.start();
  const pair = await issuer.addKey("k1");
  token = await signIssuerToken(pair, { role: "host", rooms: ["main/*"] });
});
afterAll(() => issuer.stop());

const edge = () => openTestEdge({ AUTH_SECRET: "", ...issuer.env });

describe("a server that has an issuer's keys and no AUTH_SECRET", () => {
  it("lets in who has the issuer's token, by socket and over HTTP", async () => {
    expect(await edge().authorizeSocket(new Request(`${HALL}?token=${token}`), Date.now())).toMatchObject({
      ok: true,
      ticket: { user: "ann", role: "host" },
    });
    const headers = { Authorization: `Bearer ${token}` };
    expect(
      await edge().authorizeCall(new Request(HALL, { method: "DELETE", headers }), Date.now()),
    ).toMatchObject({
      ok: true,
      caller: { user: "ann" },
    });
  });

  it("says what is missing for guests, and when to come back", async () => {
    const bare = await edge().authorizeSocket(new Request(HALL), Date.now());
    expect(bare).toMatchObject({
      ok: false,
      closeCode: 1012,
      reason: expect.stringContaining("AUTH_SECRET"),
    });
    const asked = await edge().answerGuest(
      new Request("http://127.0.0.1/auth/guest", { method: "POST" }),
      Date.now(),
    );
    expect(asked.status).toBe(503);
    expect(await asked.json()).toMatchObject({ message: expect.stringContaining("AUTH_SECRET") });
  });

  it("tells so in its health, unless it has no guests either", async () => {
    const health = async (env: Record<string, string>) => {
      const gateway = new Gateway(
        { ...issuer.env, ...env },
        { kinds: new Set(["main"]), clientIpOf: () => undefined },
      );
      return (await answerOps(new Request("http://127.0.0.1/health"), gateway))?.json();
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
    const judged = await openTestEdge({ AUTH_SECRET: "", ...issuer.env }, ["main", "quiz"]).authorizeSocket(
      elsewhere,
      Date.now(),
    );
    expect(judged).toMatchObject({ ok: false, closeCode: 4403 });
  });
});
