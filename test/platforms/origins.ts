import { describe, expect, it } from "vitest";
import type { PlatformStage } from "./platform-stage";

const ALLOWED_ORIGIN = "https://play.example.org";
const OTHER_ORIGIN = "https://evil.example.com";

/** Allowed origins, CORS and security headers. */
export function describeOrigins(stage: PlatformStage): void {
  const ask = (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
    fetch(`${stage.server.http}${path}`, init);

  describe("pages of other origins", () => {
    it("[X1] pages of allowed origins may open sockets; others get 4403", async () => {
      const room = stage.makeRoomName("origin");
      const token = await stage.mintToken({ sub: "ann" });
      const from = (origin: string) =>
        stage.openRaw({ room, query: `_pk=${origin.length}&token=${token}`, headers: { Origin: origin } });
      for (const origin of [
        ALLOWED_ORIGIN,
        stage.server.http,
        "http://localhost:3000",
        "https://app.localhost",
      ]) {
        expect((await from(origin).waitForWelcome()).you.user, origin).toBe("ann");
      }
      for (const origin of [
        OTHER_ORIGIN,
        "null",
        `${ALLOWED_ORIGIN}.evil.com`,
        "http://play.example.org",
        "http://127.0.0.1.evil.com",
      ]) {
        const bye = await from(origin).waitForBye();
        expect(bye, origin).toMatchObject({ code: 4403 });
        expect(bye.reason).toContain("ALLOWED_ORIGINS");
      }
    });

    it("[X2] pages of allowed origins may act over HTTP; others may only read, without CORS headers", async () => {
      const room = stage.makeRoomName("origin");
      const token = await stage.mintToken({ sub: "root", role: "admin" });
      const body = JSON.stringify({ id: "1", f: "chat", a: "say", d: { text: "hi" } });
      const post = (origin: string) =>
        ask(`/parties/main/${room}`, {
          method: "POST",
          body,
          headers: { Origin: origin, Authorization: `Bearer ${token}` },
        });
      const friend = await post(ALLOWED_ORIGIN);
      expect([friend.status, friend.headers.get("Access-Control-Allow-Origin")]).toEqual([
        200,
        ALLOWED_ORIGIN,
      ]);
      const rejected = await post(OTHER_ORIGIN);
      expect([rejected.status, rejected.headers.get("Access-Control-Allow-Origin")]).toEqual([403, null]);
      expect(await rejected.json()).toMatchObject({ code: "not_allowed" });
      const guest = await ask("/auth/guest", {
        method: "POST",
        body: "{}",
        headers: { Origin: OTHER_ORIGIN },
      });
      expect(guest.status).toBe(403);
      const read = await ask(`/parties/main/${room}`, { headers: { Origin: OTHER_ORIGIN } });
      expect([read.status, read.headers.get("Access-Control-Allow-Origin")]).toEqual([200, null]);
    });

    it("[X3] a preflight request is answered", async () => {
      const preflight = (path: string, origin: string) =>
        ask(path, {
          method: "OPTIONS",
          headers: {
            Origin: origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
          },
        });
      for (const path of [`/parties/main/${stage.makeRoomName("origin")}`, "/auth/guest", "/health"]) {
        const yes = await preflight(path, ALLOWED_ORIGIN);
        expect(yes.status, path).toBe(204);
        expect(yes.headers.get("Access-Control-Allow-Origin")).toBe(ALLOWED_ORIGIN);
        expect(yes.headers.get("Access-Control-Allow-Methods")).toContain("POST");
        expect(yes.headers.get("Access-Control-Allow-Headers")?.toLowerCase()).toContain("authorization");
        expect(yes.headers.get("Vary")).toContain("Origin");
        const no = await preflight(path, OTHER_ORIGIN);
        expect(no.status, path).toBe(403);
        expect(no.headers.get("Access-Control-Allow-Origin")).toBeNull();
        expect(no.headers.get("Vary")).toContain("Origin");
      }
    });
  });

  it("[X4] every answer has the security headers", async () => {
    const room = stage.makeRoomName("headers");
    await stage.joinAsMember(room, "ann");
    const answers = await Promise.all([
      ask(`/parties/main/${room}`),
      ask(`/parties/main/${room}-that-is-not`),
      ask("/parties/nosuch/room%20x"),
      ask(`/parties/main/${room}`, { method: "POST" }),
      ask(`/parties/main/${room}`, { method: "PUT" }),
      ask("/auth/guest", { method: "POST" }),
      ask("/health"),
      ask("/nothing/at/all"),
      ask("/parties/address/somebodys"),
    ]);
    // PartyKit answers an unknown kind by itself, before any code of ours.
    const ours = answers.filter((_, n) => n !== 2 || stage.platform.capabilities.unknownKindReachesEdge);
    for (const { headers, url, status } of ours) {
      const about = `${status} ${url}`;
      expect(headers.get("X-Content-Type-Options"), about).toBe("nosniff");
      expect(headers.get("Referrer-Policy"), about).toBe("no-referrer");
      expect(headers.get("Content-Security-Policy"), about).toContain("frame-ancestors 'none'");
      expect(headers.get("Vary"), about).toContain("Origin");
      expect(headers.get("Cache-Control"), about).toBe("no-store");
    }
    if (!stage.platform.capabilities.setsPageHeaders) return;
    const page = await ask("/");
    expect(page.headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(page.headers.get("X-Frame-Options")).toBe("DENY");
  });
}
