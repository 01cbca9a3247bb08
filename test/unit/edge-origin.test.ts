import { describe, expect, it } from "vitest";
import { answerPreflight, corsContextOf, withHeaders } from "../../src/edge/cors";
import { isAllowedOrigin } from "../../src/edge/origin";
import { readTestConfig } from "../support/test-edge";

const DEPLOYED = "https://rooms.example.org/parties/main/hall";
const LOCAL = "http://127.0.0.1:8787/parties/main/hall";
const config = readTestConfig({ ALLOWED_ORIGINS: "https://play.example.org,http://localhost:9" });

describe("an origin", () => {
  it("[X1] an origin is allowed if it is ours or listed, but not if it looks similar", () => {
    const allowed = (origin: string) => isAllowedOrigin(origin, DEPLOYED, config);
    for (const origin of [
      "https://rooms.example.org",
      "https://play.example.org",
      "HTTPS://Play.example.org",
      "http://localhost:9",
    ]) {
      expect(allowed(origin), origin).toBe(true);
    }
    for (const origin of [
      "http://rooms.example.org",
      "https://rooms.example.org:8443",
      "https://evil.org",
      "https://play.example.org.evil.org",
      "https://xplay.example.org",
      "https://play.example.org/",
      "http://localhost:3000",
      "http://127.0.0.1",
      "null",
      "",
      "file://",
      "*",
    ]) {
      expect(allowed(origin), origin).toBe(false);
    }
  });

  it("[X1] an origin of this machine is allowed if the server itself is reached on this machine", () => {
    const allowed = (origin: string) => isAllowedOrigin(origin, LOCAL, config);
    for (const origin of [
      "http://localhost:3000",
      "http://127.0.0.1:1999",
      "https://[::1]:5173",
      "http://a.localhost",
    ]) {
      expect(allowed(origin), origin).toBe(true);
    }
    for (const origin of [
      "http://localhost.evil.org",
      "http://127.0.0.1.evil.org",
      "http://notlocalhost",
      "chrome-extension://localhost",
      "null",
      "localhost",
    ]) {
      expect(allowed(origin), origin).toBe(false);
    }
  });
});

describe("a response", () => {
  const ask = (origin: string | undefined, init: RequestInit = {}) =>
    new Request(DEPLOYED, { ...init, headers: { ...init.headers, ...(origin ? { Origin: origin } : {}) } });

  it("[X3] [X4] the response keeps its own headers, and varies by origin for every caller", () => {
    for (const origin of [undefined, "https://play.example.org", "https://evil.org"]) {
      const answer = new Response("x", { headers: { Vary: "Accept-Encoding", "Referrer-Policy": "origin" } });
      const { headers } = withHeaders(answer, corsContextOf(ask(origin), config));
      expect(headers.get("Vary")).toBe("Accept-Encoding, Origin");
      expect(headers.get("Referrer-Policy")).toBe("origin");
      expect(headers.get("Strict-Transport-Security")).toMatch(/max-age=\d+/);
      expect(headers.get("Access-Control-Allow-Origin")).toBe(origin?.includes("play") ? origin : null);
    }
    const once = withHeaders(withHeaders(new Response("x"), { isSecure: false }), { isSecure: false });
    expect(once.headers.get("Vary")).toBe("Origin");
    expect(once.headers.get("Strict-Transport-Security")).toBeNull();
  });

  it("[X3] the response to a preflight exists only for an allowed origin", () => {
    const asks = { "Access-Control-Request-Method": "POST" };
    expect(
      answerPreflight(ask("https://play.example.org", { method: "OPTIONS", headers: asks }), config)?.status,
    ).toBe(204);
    expect(
      answerPreflight(ask("https://evil.org", { method: "OPTIONS", headers: asks }), config)?.status,
    ).toBe(403);
    expect(
      answerPreflight(ask("https://play.example.org", { method: "OPTIONS", headers: asks }), undefined)
        ?.status,
    ).toBe(403);
    expect(answerPreflight(ask("https://play.example.org", { method: "OPTIONS" }), config)).toBeUndefined();
    expect(answerPreflight(ask(undefined, { method: "OPTIONS", headers: asks }), config)).toBeUndefined();
    expect(
      answerPreflight(ask("https://play.example.org", { method: "POST", headers: asks }), config),
    ).toBeUndefined();
  });
});
