import { describe, expect, it } from "vitest";
import type { HttpAnswer, PlatformStage } from "./platform-stage";
import type { RawClient } from "./sockets";
import { readFilesUnder } from "./stored-bytes";
import { pause } from "./waiting";

/** Short windows, so that they can be seen to end. */
export const IP_LIMITS_ENV = {
  CONNECT_LIMIT: "60/30",
  NEW_ROOM_LIMIT: "12/4",
  GUEST_LIMIT: "5/4",
  FAILED_TOKEN_LIMIT: "4/30",
  READ_LIMIT: "20/4",
  // Forty rooms are opened well within a minute, and not always within four seconds.
  NETWORK_LIMITS: "newRoom=20/60",
};

/** What one address may. All of these come from one. */
export function describeIpLimits(stage: PlatformStage): void {
  const guest = (room: string, tab = `a guest's tab ${Math.random()}`) =>
    stage.openRaw({ room, query: `_pk=${encodeURIComponent(tab)}` });
  const admin = async () => `Bearer ${await stage.mintToken({ sub: "root", role: "admin" })}`;

  describe("an address", () => {
    it("[L6] an address has a limit of guests, refused with rule, limit and the exact wait; a returning guest does not count", async () => {
      const room = stage.makeRoomName("guests");
      const startedAt = Date.now();
      const tabs = ["one", "two", "three", "four"].map((name) => `the tab of guest number ${name}`);
      for (const tab of tabs) await guest(room, tab).waitForWelcome();
      const made = await stage.fetch("/auth/guest", { method: "POST" });
      expect(made.status).toBe(200);
      const refused = await guest(room).waitForBye();
      expect(refused).toMatchObject({ code: 4429 });
      expect(refused.reason).toMatch(/guest: 5 in 4 s/);
      expect(refused.retryAfterMs).toBeGreaterThan(0);
      expect(refused.retryAfterMs).toBeLessThanOrEqual(4_000);
      await guest(room, tabs[0]).waitForWelcome();
      const http = await fetch(`${stage.server.http}/auth/guest`, { method: "POST" });
      expect(http.status).toBe(429);
      const body = (await http.json()) as HttpAnswer["body"];
      expect(body).toMatchObject({
        code: "rate_limited",
        info: { rule: "guest", limit: { count: 5, perMs: 4_000 } },
      });
      expect(Number(http.headers.get("Retry-After"))).toBe(Math.ceil(Number(body.retryAfterMs) / 1000));
      // The wait is exact, and a refused request has not lengthened it.
      await pause(Number(body.retryAfterMs) + 30);
      await guest(room).waitForWelcome();
      expect(Date.now() - startedAt).toBeGreaterThanOrEqual(4_000);
    }, 20_000);

    it("[L6] an address has a limit of reads", async () => {
      const room = stage.makeRoomName("reads");
      const answers: number[] = [];
      for (let n = 0; n < 20; n++) answers.push((await stage.getRoom(room)).status);
      expect(new Set(answers)).toEqual(new Set([404]));
      const refused = await stage.getRoom(room);
      expect(refused.status).toBe(429);
      expect(refused.body).toMatchObject({ code: "rate_limited", info: { rule: "read" } });
      await pause(Number(refused.body.retryAfterMs) + 30);
      expect((await stage.getRoom(room)).status).toBe(404);
    }, 20_000);

    it("[L6] an address has a limit of new rooms: existing rooms stay open, and a refused one is not created", async () => {
      // Windows of the tests before are over.
      await pause(4_100);
      const token = await stage.mintToken({ sub: "builder" });
      const join = (room: string) => stage.openRaw({ room, query: `_pk=b&token=${token}` });
      const rooms = Array.from({ length: 12 }, () => stage.makeRoomName("new"));
      for (const room of rooms) await join(room).waitForWelcome();
      const late = stage.makeRoomName("new");
      const refused = await join(late).waitForBye();
      expect(refused).toMatchObject({ code: 4429 });
      expect(refused.reason).toMatch(/newRoom: 12 in 4 s/);
      await join(String(rooms[3])).waitForWelcome();
      const posted = await stage.postAction(
        late,
        { id: "1", f: "chat", a: "say", d: { text: "x" } },
        await stage.mintToken({ sub: "hana", role: "host", rooms: ["main/*"] }),
      );
      expect([posted.status, posted.body.code]).toEqual([429, "rate_limited"]);
      expect((await stage.getRoom(late)).status).toBe(404);
      const body = JSON.stringify({ id: "1", f: "chat", a: "say", d: { text: "x" } });
      const opened = await stage.getRoom(late, {
        method: "POST",
        body,
        headers: { Authorization: await admin() },
      });
      expect(opened.status, "an admin is not counted").toBe(200);
    }, 30_000);

    it("[L6] an address that sends bad tokens is refused for a while, except for users with a token known to be valid", async () => {
      // Windows of the test before are over.
      await pause(4_100);
      const room = stage.makeRoomName("guessing");
      const good = await stage.mintToken({ sub: "ann" });
      const join = (token: string) => stage.openRaw({ room, query: `_pk=g&token=${token}` });
      await join(good).waitForWelcome();
      const ended = await stage.mintToken({ sub: "ann" }, { expiresIn: -10 });
      expect((await join(ended).waitForBye()).code, "an ended one is no guess").toBe(4401);
      for (let n = 0; n < 4; n++) expect((await join(`bad.${n}.token`).waitForBye()).code).toBe(4401);
      const refused = await join("bad.again.token").waitForBye();
      expect(refused).toMatchObject({ code: 4429 });
      expect(refused.reason).toMatch(/failedToken: 4 in 30 s/);
      await join(good).waitForWelcome();
      const fresh = await stage.mintToken({ sub: "bob" });
      expect((await join(fresh).waitForBye()).code, "an unverified token counts as a guess").toBe(4429);
      const posted = await stage.postAction(room, {}, "bad.third.token");
      expect([posted.status, posted.body.code]).toEqual([429, "rate_limited"]);
    }, 20_000);

    it("[L6] an address's windows survive a kill -9", async () => {
      const room = stage.makeRoomName("guessing");
      const join = () => stage.openRaw({ room, query: "_pk=g&token=bad.fourth.token" });
      const before = await join().waitForBye();
      expect(before.code).toBe(4429);
      const until = Date.now() + Number(before.retryAfterMs);
      await stage.kill();
      await stage.restart();
      const after = await join().waitForBye();
      if (Date.now() < until - 500) {
        expect(after.code).toBe(4429);
        expect(Math.abs(Date.now() + Number(after.retryAfterMs) - until)).toBeLessThan(1_500);
      } else expect(after.code, "only since the restart took longer").toBe(4401);
    }, 90_000);

    it("[L6] an address is in no log and in no storage in plain form", async () => {
      const seen = ["198.51.100.77", "2001:db8:77:78::9"];
      const room = stage.makeRoomName("seen");
      for (const [nth, address] of seen.entries()) {
        const headers = { "CF-Connecting-IP": address };
        const guest = stage.openRaw({ room, query: `_pk=somebody-from-elsewhere-${nth}`, headers });
        // Another address on Cloudflare; on PartyKit one and the same, whose guests are as many as may be by now.
        await guest.waitFor(() => guest.welcomes[0] ?? guest.byes[0], "an answer");
        await stage.openRaw({ room, query: `_pk=x&token=bad`, headers }).waitForBye();
      }
      const marker = `what is looked for is found ${room}`;
      const token = await stage.mintToken({ sub: "marker" });
      const one = stage.openRaw({ room, query: `_pk=m&token=${token}` });
      const came = await one.waitFor(() => one.welcomes[0] ?? one.byes[0], "an answer");
      if (came.t === "welcome") {
        await one.expectEvent(one.say(marker));
        expect(isTextStored(stage.server.dataDir, marker), "the search finds what is stored").toBe(true);
      }
      for (const part of ["198.51.100", "2001:db8:77"]) {
        expect(stage.log, part).not.toContain(part);
        expect(isTextStored(stage.server.dataDir, part), part).toBe(false);
      }
    }, 20_000);

    it.runIf(stage.platform.capabilities.reportsClientIp)(
      "[L7] forty /64s of one /48 open no more new rooms than a network may, and others are not kept out",
      async () => {
        const token = await stage.mintToken({ sub: "wanderer" });
        const answers = async (address: (nth: number) => string) => {
          const all = Array.from({ length: 40 }, (_, nth) =>
            stage.openRaw({
              room: stage.makeRoomName("wandering"),
              query: `_pk=w&token=${token}`,
              headers: { "CF-Connecting-IP": address(nth) },
            }),
          );
          return Promise.all(
            all.map((one) => one.waitFor(() => one.welcomes[0] ?? one.byes[0], "an answer")),
          );
        };
        const wandering = await answers((nth) => `2001:db8:5:${nth.toString(16)}::1`);
        const refused = wandering.filter(({ t }) => t === "bye");
        expect(refused).toHaveLength(20);
        expect(refused[0]).toMatchObject({
          code: 4429,
          reason: expect.stringMatching(/new rooms from this network \(newRoom: 20 in 60 s\)/),
        });
        const apart = await answers((nth) => `2001:db8:${(6 + nth).toString(16)}::1`);
        expect(apart.filter(({ t }) => t === "bye")).toEqual([]);
      },
      30_000,
    );

    it("[L6] a client cannot claim an address, nor reach its object", async () => {
      const room = stage.makeRoomName("claimed");
      // Not CF-Connecting-IP: Cloudflare writes it itself, and wrangler's stand-in takes it as it comes.
      const claims = ["X-Forwarded-For", "X-Real-IP", "True-Client-IP", "Forwarded", "X-Client-IP"];
      const token = await stage.mintToken({ sub: "many" });
      let refused: RawClient | undefined;
      for (let n = 0; n < 70 && !refused; n++) {
        const headers = Object.fromEntries(claims.map((name) => [name, `203.0.113.${n}`]));
        // One and the same guest: for new ones, or for a token, another rule may have a longer wait.
        const client = stage.openRaw({ room, query: "_pk=whoever-claims-addresses", headers });
        await client.waitFor(() => client.byes[0] ?? client.welcomes[0], "an answer");
        const [bye] = client.byes;
        if (bye && /connect: 60 in 30 s/.test(bye.reason)) refused = client;
      }
      expect(refused, "whatever the headers claimed, all were one address").toBeDefined();
      expect((await stage.openRaw({ room, query: `_pk=m&token=${token}` }).waitForBye()).code).toBe(4429);
      for (const path of ["/parties/address/nowhere", "/parties/addresses/nowhere", "/parties/address/x/y"]) {
        expect((await stage.fetch(path)).status, path).toBe(404);
        const posted = await stage.fetch(path, { method: "POST", body: '{"consume":[],"peek":[]}' });
        expect(posted.status, path).toBe(404);
      }
    }, 30_000);
  });
}

function isTextStored(directory: string, text: string): boolean {
  return readFilesUnder(directory).some(
    (bytes) => bytes.includes(text) || bytes.includes(text, 0, "utf16le"),
  );
}
