import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KeyServer, sign } from "../support/key-server";
import type { PartyClient } from "./sockets";
import type { Stage } from "./stage";
import { eventually, pause } from "./waiting";

type Pair = Awaited<ReturnType<KeyServer["make"]>>;

interface Ending {
  client: PartyClient;
  endsAt: number;
}

/** Long enough for the room to fall asleep in between: nothing is said in it any more. */
const SLEEPS_AFTER_S = 20;

/** Somebody whose token ends while the room sleeps. */
export async function endings(stage: Stage): Promise<Ending> {
  const endsAt = (Math.floor(Date.now() / 1000) + SLEEPS_AFTER_S) * 1000;
  const token = await stage.token({ sub: "drowsy" }, { expiresIn: SLEEPS_AFTER_S });
  const client = stage.join({ room: stage.room("drowsy"), token });
  await client.welcome();
  // As a client does that respects a final `bye`: it closes its side, and stays away.
  void client.bye(120_000).then(() => client.close());
  return { client, endsAt };
}

/** Told last. */
export function ending(_: Stage, laidOut: () => Ending): void {
  describe("a token that ends", () => {
    it("[T8] ends a connection although its room sleeps, and who was told does not come back in a loop", async () => {
      const { client, endsAt } = laidOut();
      const bye = await client.bye(SLEEPS_AFTER_S * 1000 + 30_000);
      expect(bye).toMatchObject({ code: 4401 });
      expect(bye).not.toHaveProperty("retryAfterMs");
      const [at = 0] = client.byedAt;
      expect(at).toBeGreaterThanOrEqual(endsAt);
      expect(at).toBeLessThan(endsAt + 10_000);
      await pause(1_500);
      expect(client.byes).toHaveLength(1);
      expect(client.welcomes).toHaveLength(1);
    }, 60_000);
  });
}

/** Tokens of an issuer with keys of its own. Its server is down when these begin. */
export function keys(stage: Stage, issuer: KeyServer): void {
  describe("an issuer's tokens", () => {
    let first: Pair;
    beforeAll(async () => {
      first = await issuer.make("first", "RS256");
    });
    afterAll(() => issuer.stop());

    const token = async (pair: Pair, claims: Record<string, unknown> = {}) => {
      const signed = await sign(pair, claims);
      stage.tokens.add(signed);
      return signed;
    };
    const enter = async (given: string, room = stage.room("keys")) =>
      stage.raw({ room, query: `_pk=a-tab-of-an-issuer-s-user&token=${given}` });

    it("[T11] are told to come back while the key server is down, and let in when it is there", async () => {
      const ann = await token(first, { name: "Ann" });
      const refused = await (await enter(ann)).bye();
      expect(refused.code, "not 4401, after which nobody comes back").toBe(1012);
      expect(refused.retryAfterMs).toBeGreaterThan(0);
      expect((await stage.http("/health")).body).toMatchObject({
        ok: false,
        problems: [expect.stringContaining("AUTH_JWKS_URL")],
      });
      await issuer.start();
      await pause(Number(refused.retryAfterMs));
      expect((await (await enter(ann)).welcome()).you).toMatchObject({ user: "ann", name: "Ann" });
      expect((await stage.http("/health")).body).toMatchObject({ ok: true });
    }, 30_000);

    it("[T11] are good by a key that is new, and by the old one too", async () => {
      const second = await issuer.make("second", "ES256");
      expect((await (await enter(await token(second, { sub: "bob" }))).welcome()).you.user).toBe("bob");
      expect((await (await enter(await token(first, { sub: "cat" }))).welcome()).you.user).toBe("cat");
    });

    it("[T9] of another issuer, audience or algorithm are refused for good", async () => {
      for (const claims of [{ iss: "https://other.test/" }, { aud: "others" }, { aud: undefined }]) {
        const bye = await (await enter(await token(first, claims))).bye();
        expect(bye, JSON.stringify(claims)).toMatchObject({ code: 4401 });
      }
      const stranger = await issuer.make("stranger", "ES256", { publish: false });
      const forged = { ...stranger, kid: "second" };
      expect((await (await enter(await token(forged))).bye()).code).toBe(4401);
    });

    it("[T10] may be from a clock a minute ahead", async () => {
      const second = Math.floor(Date.now() / 1000);
      const ahead = await token(first, { sub: "early", nbf: second + 55, iat: second + 55 });
      expect((await (await enter(ahead)).welcome()).you.user).toBe("early");
      const further = await token(first, { sub: "early", nbf: second + 120 });
      expect((await (await enter(further)).bye()).code).toBe(4401);
    });

    it("[T11] hold while the key server is slow or down again", async () => {
      issuer.mood = "silent";
      expect((await (await enter(await token(first, { sub: "dan" }))).welcome()).you.user).toBe("dan");
      await issuer.stop();
      expect((await (await enter(await token(first, { sub: "eve" }))).welcome()).you.user).toBe("eve");
      issuer.mood = "well";
      await issuer.start();
    });

    it("are looked at once: the next time their digest is enough, and that is counted", async () => {
      const again = await token(first, { sub: "fay" });
      const tokensOf = async () => (await stage.http("/health")).body.tokens as { hits: number };
      await (await enter(again)).welcome();
      const { hits } = await tokensOf();
      await (await enter(again)).welcome();
      expect((await tokensOf()).hits).toBe(hits + 1);
    });

    it("[T8] that end close their connection 4401, no sooner and hardly later", async () => {
      const exp = Math.floor(Date.now() / 1000) + 3;
      const client = await enter(await token(first, { sub: "gus", exp }));
      await client.welcome();
      const bye = await client.bye(15_000);
      expect(bye.code).toBe(4401);
      expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
      expect(Date.now()).toBeLessThan(exp * 1000 + 5_000);
      expect((await (await enter(await token(first, { sub: "gus", exp }))).bye()).code).toBe(4401);
    }, 20_000);

    it("[T8] are renewed by a second socket of the same tab, without a gap", async () => {
      const room = stage.room("renewal");
      const speaker = await stage.member(room, "speaker");
      const tab = "_pk=one-tab-with-two-tokens-1";
      const exp = Math.floor(Date.now() / 1000) + 4;
      const old = stage.raw({ room, query: `${tab}&token=${await token(first, { sub: "hal", exp })}` });
      const { epoch } = await old.welcome();
      const said = await speaker.done(speaker.say("before"));
      await old.reached(said.seq);
      const renewed = await token(first, { sub: "hal" });
      const missed = await speaker.done(speaker.say("meanwhile"));
      const query = `${tab}&token=${renewed}&epoch=${epoch}&since=${said.seq}`;
      const young = stage.raw({ room, query });
      young.seq = said.seq;
      expect((await young.welcome()).resumed).toBe(true);
      expect((await old.bye()).code).toBe(4409);
      await young.reached(missed.seq);
      await eventually(() => Date.now() > exp * 1000 + 500, "the old token's end");
      const after = await speaker.done(speaker.say("after"));
      await young.reached(after.seq);
      expect(young.byes).toEqual([]);
      expect(speaker.events.filter(({ n }) => n === "left")).toEqual([]);
      expect(
        young.events.filter(({ n }) => n === "said").map(({ d }) => (d as { text: string }).text),
      ).toEqual(["meanwhile", "after"]);
    }, 20_000);
  });
}
