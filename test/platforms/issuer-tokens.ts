import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KeyServer, signIssuerToken } from "../support/key-server";
import type { PlatformStage } from "./platform-stage";
import type { PartyClient } from "./sockets";
import { eventually, pause } from "./waiting";

type Pair = Awaited<ReturnType<KeyServer["addKey"]>>;

interface EndingToken {
  client: PartyClient;
  endsAt: number;
}

/** Long enough for the room to fall asleep in between: nothing is said in it any more. */
const SLEEPS_AFTER_S = 20;

/** Somebody whose token ends while the room sleeps. */
export async function joinWithEndingToken(stage: PlatformStage): Promise<EndingToken> {
  const endsAt = (Math.floor(Date.now() / 1000) + SLEEPS_AFTER_S) * 1000;
  const token = await stage.mintToken({ sub: "drowsy" }, { expiresIn: SLEEPS_AFTER_S });
  const client = stage.join({ room: stage.makeRoomName("drowsy"), token });
  await client.waitForWelcome();
  // As a client does that respects a final `bye`: it closes its side, and stays away.
  void client.waitForBye(120_000).then(() => client.close());
  return { client, endsAt };
}

/** Told last. */
export function describeEndingToken(_: PlatformStage, prepared: () => EndingToken): void {
  describe("a token that ends", () => {
    it("[T8] the end of a token closes a connection although its room sleeps, and the client does not reconnect in a loop", async () => {
      const { client, endsAt } = prepared();
      const bye = await client.waitForBye(SLEEPS_AFTER_S * 1000 + 30_000);
      expect(bye).toMatchObject({ code: 4401 });
      expect(bye).not.toHaveProperty("retryAfterMs");
      const [at = 0] = client.byeAts;
      expect(at).toBeGreaterThanOrEqual(endsAt);
      expect(at).toBeLessThan(endsAt + 10_000);
      await pause(1_500);
      expect(client.byes).toHaveLength(1);
      expect(client.welcomes).toHaveLength(1);
    }, 60_000);
  });
}

/** Tokens of an issuer with keys of its own. Its server is down when these begin. */
export function describeIssuerTokens(stage: PlatformStage, issuer: KeyServer): void {
  describe("an issuer's tokens", () => {
    let first: Pair;
    beforeAll(async () => {
      first = await issuer.addKey("first", "RS256");
    });
    afterAll(() => issuer.stop());

    const token = async (pair: Pair, claims: Record<string, unknown> = {}) => {
      const signed = await signIssuerToken(pair, claims);
      stage.tokens.add(signed);
      return signed;
    };
    const enter = async (given: string, room = stage.makeRoomName("keys")) =>
      stage.openRaw({ room, query: `_pk=a-tab-of-an-issuer-s-user&token=${given}` });

    it("[T11] users are told to come back while the key server is down, and let in when it is there", async () => {
      const ann = await token(first, { name: "Ann" });
      const refused = await (await enter(ann)).waitForBye();
      expect(refused.code, "not 4401, after which nobody comes back").toBe(1012);
      expect(refused.retryAfterMs).toBeGreaterThan(0);
      expect((await stage.fetch("/health")).body).toMatchObject({
        ok: false,
        problems: [expect.stringContaining("AUTH_JWKS_URL")],
      });
      await issuer.start();
      await pause(Number(refused.retryAfterMs));
      expect((await (await enter(ann)).waitForWelcome()).you).toMatchObject({ user: "ann", name: "Ann" });
      expect((await stage.fetch("/health")).body).toMatchObject({ ok: true });
    }, 30_000);

    it("[T11] tokens are valid with a new key, and with the old one too", async () => {
      const second = await issuer.addKey("second", "ES256");
      expect((await (await enter(await token(second, { sub: "bob" }))).waitForWelcome()).you.user).toBe(
        "bob",
      );
      expect((await (await enter(await token(first, { sub: "cat" }))).waitForWelcome()).you.user).toBe("cat");
    });

    it("[T9] tokens of another issuer, audience or algorithm are refused for good", async () => {
      for (const claims of [{ iss: "https://other.test/" }, { aud: "others" }, { aud: undefined }]) {
        const bye = await (await enter(await token(first, claims))).waitForBye();
        expect(bye, JSON.stringify(claims)).toMatchObject({ code: 4401 });
      }
      const stranger = await issuer.addKey("stranger", "ES256", { publish: false });
      const forged = { ...stranger, kid: "second" };
      expect((await (await enter(await token(forged))).waitForBye()).code).toBe(4401);
    });

    it("[T10] tokens may come from a clock a minute ahead", async () => {
      const second = Math.floor(Date.now() / 1000);
      const ahead = await token(first, { sub: "early", nbf: second + 55, iat: second + 55 });
      expect((await (await enter(ahead)).waitForWelcome()).you.user).toBe("early");
      const further = await token(first, { sub: "early", nbf: second + 120 });
      expect((await (await enter(further)).waitForBye()).code).toBe(4401);
    });

    it("[T11] tokens stay valid while the key server is slow or down again", async () => {
      issuer.behaviour = "silent";
      expect((await (await enter(await token(first, { sub: "dan" }))).waitForWelcome()).you.user).toBe("dan");
      await issuer.stop();
      expect((await (await enter(await token(first, { sub: "eve" }))).waitForWelcome()).you.user).toBe("eve");
      issuer.behaviour = "well";
      await issuer.start();
    });

    it("tokens are verified once: the next time their digest is enough, and that is counted", async () => {
      const again = await token(first, { sub: "fay" });
      const tokensOf = async () => (await stage.fetch("/health")).body.tokens as { hits: number };
      await (await enter(again)).waitForWelcome();
      const { hits } = await tokensOf();
      await (await enter(again)).waitForWelcome();
      expect((await tokensOf()).hits).toBe(hits + 1);
    });

    it("[T8] the end of a token closes its connection with 4401, no sooner and hardly later", async () => {
      const exp = Math.floor(Date.now() / 1000) + 3;
      const client = await enter(await token(first, { sub: "gus", exp }));
      await client.waitForWelcome();
      const bye = await client.waitForBye(15_000);
      expect(bye.code).toBe(4401);
      expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
      expect(Date.now()).toBeLessThan(exp * 1000 + 5_000);
      expect((await (await enter(await token(first, { sub: "gus", exp }))).waitForBye()).code).toBe(4401);
    }, 20_000);

    it("[T8] a second socket of the same tab renews a token without a gap", async () => {
      const room = stage.makeRoomName("renewal");
      const speaker = await stage.joinAsMember(room, "speaker");
      const tab = "_pk=one-tab-with-two-tokens-1";
      const exp = Math.floor(Date.now() / 1000) + 4;
      const old = stage.openRaw({ room, query: `${tab}&token=${await token(first, { sub: "hal", exp })}` });
      const { epoch } = await old.waitForWelcome();
      const said = await speaker.expectEvent(speaker.say("before"));
      await old.waitForSeq(said.seq);
      const renewed = await token(first, { sub: "hal" });
      const missed = await speaker.expectEvent(speaker.say("meanwhile"));
      const query = `${tab}&token=${renewed}&epoch=${epoch}&since=${said.seq}`;
      const young = stage.openRaw({ room, query });
      young.seq = said.seq;
      expect((await young.waitForWelcome()).resumed).toBe(true);
      expect((await old.waitForBye()).code).toBe(4409);
      await young.waitForSeq(missed.seq);
      await eventually(() => Date.now() > exp * 1000 + 500, "the old token's end");
      const after = await speaker.expectEvent(speaker.say("after"));
      await young.waitForSeq(after.seq);
      expect(young.byes).toEqual([]);
      expect(speaker.events.filter(({ n }) => n === "left")).toEqual([]);
      expect(
        young.events.filter(({ n }) => n === "said").map(({ d }) => (d as { text: string }).text),
      ).toEqual(["meanwhile", "after"]);
    }, 20_000);
  });
}
