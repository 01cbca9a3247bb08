import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Gateway } from "../../src/edge/gateway";
import { TICKET_HEADER } from "../../src/edge/handshake";
import { forgeToken, makeClaims, SECRET } from "../support/test-edge";
import { FUZZ_TIMEOUT_MS, fuzzRuns } from "./fuzz-runs";
import { spoil } from "./spoil";

const BATCH_SECRET = "a secret between platforms, 32 bytes and more";
const ORIGIN = "http://127.0.0.1:1999";
const SOON = Math.floor(Date.now() / 1000) + 3_600;
const host = forgeToken(makeClaims({ sub: "hana", role: "host", rooms: ["main/hall"], exp: SOON }));
const player = forgeToken(makeClaims({ sub: "ann", exp: SOON }));

interface FuzzedRequest {
  method: string;
  path: string;
  authorization?: string | undefined;
  origin?: string | undefined;
  extra?: string | undefined;
  body?: string | undefined;
}
/** Cases of the corpus. `status` is that of the rejection, or `onward` if the request goes to a room. */
const corpus: (FuzzedRequest & { about: string; status: number | "onward" })[] = JSON.parse(
  readFileSync(new URL("corpus/gateway.json", import.meta.url), "utf8"),
);

afterEach(() => {
  vi.restoreAllMocks();
});

function openGateway(): Gateway {
  return new Gateway(
    { AUTH_SECRET: SECRET, BATCH_SECRET, GUESTS: "on" },
    { kinds: new Set(["main"]), clientIpOf: () => undefined },
  );
}

/** Undefined if no client could send the request, because the runtime rejects it. */
function makeRequest({
  method,
  path,
  authorization,
  origin,
  extra,
  body,
}: FuzzedRequest): Request | undefined {
  const hasBody = body !== undefined && method !== "GET" && method !== "HEAD";
  try {
    return new Request(`${ORIGIN}${path}`, {
      method,
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(origin === undefined ? {} : { origin }),
        // Headers that pretend to come from the edge.
        ...(extra === undefined
          ? {}
          : { [TICKET_HEADER]: extra, "x-tallyroom-begins": extra, "x-tallyroom-list": extra }),
        ...(hasBody ? { "content-type": "application/json" } : {}),
      },
      ...(hasBody ? { body } : {}),
    });
  } catch {
    return undefined;
  }
}

/** Checks what holds for every response and every forwarded request. Returns the status. */
async function callGateway(gateway: Gateway, input: FuzzedRequest): Promise<number | "onward" | undefined> {
  const request = makeRequest(input);
  if (!request) return undefined;
  const isRoom = new URL(request.url).pathname.startsWith("/parties/");
  const answer =
    gateway.answerPreflight(request) ??
    (await (isRoom ? gateway.rooms.admitCall(request) : gateway.answer(request)));
  if (answer instanceof Request) {
    expect(answer.url).toMatch(/^http:\/\/room\/parties\/main\/[\w.-]{1,64}$/);
    const headerNames = [...answer.headers].map(([name]) => name);
    expect(
      headerNames.filter((name) => !/^(content-type|x-tallyroom-(reader|begins|list))$/.test(name)),
    ).toEqual([]);
    expect(answer.headers.get(TICKET_HEADER)).toBeNull();
    if (input.extra) expect(answer.headers.get("x-tallyroom-list")).not.toBe(input.extra);
    const text = answer.method === "GET" ? "" : await answer.text();
    for (const token of [host, player]) expect(text).not.toContain(token);
    return "onward";
  }
  const withHeaders = gateway.withHeaders(answer, request);
  expect(withHeaders.headers.get("x-content-type-options")).toBe("nosniff");
  const text = await withHeaders.text();
  expect(text).not.toMatch(/ at \S+:\d+|node:|\.ts:/);
  if (withHeaders.status >= 400) {
    const { code, message } = JSON.parse(text) as { code: string; message: string };
    expect(code).toMatch(/^[a-z_]+$/);
    expect(message).toMatch(/\.$/);
  }
  expect(withHeaders.status, text).not.toBe(500);
  return withHeaders.status;
}

describe("the gateway, fuzzed", () => {
  it.each(corpus)(
    "the gateway treats a request of the corpus as before: $about",
    async ({ about: _, status, ...input }) => {
      expect(await callGateway(openGateway(), input)).toBe(status);
    },
  );

  it(
    "the gateway answers every request properly, forwards nothing of the client's, and throws at none",
    async () => {
      const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const gateway = openGateway();
      const action = fc.constantFrom(
        '{"id":"1","f":"chat","a":"say","d":{"text":"hi"}}',
        '{"id":"2","f":"scores","a":"award","d":{"user":"ann","points":5}}',
        '{"feature":"moderation","message":{"ban":true}}',
        '{"name":"Ann"}',
      );
      const mostly = (right: fc.Arbitrary<string>) =>
        fc.oneof({ weight: 3, arbitrary: right }, { weight: 2, arbitrary: spoil(right) });
      const maybe = (some: fc.Arbitrary<string>) => fc.option(some, { nil: undefined });
      const input = fc.record<FuzzedRequest>({
        method: fc.constantFrom("GET", "POST", "POST", "POST", "DELETE", "PUT", "OPTIONS", "PATCH", "HEAD"),
        path: mostly(fc.constantFrom("/parties/main/hall", "/auth/guest", "/health", "/rooms?kind=main")),
        authorization: maybe(mostly(fc.constantFrom(`Bearer ${host}`, `Bearer ${player}`, "Basic eDp5"))),
        origin: maybe(mostly(fc.constantFrom("http://localhost:5173", "https://elsewhere.example", "null"))),
        extra: maybe(fc.string({ minLength: 1, maxLength: 40 })),
        body: maybe(mostly(action)),
      });
      const seen = new Map<number | "onward" | undefined, number>();
      await fc.assert(
        fc.asyncProperty(input, async (one) => {
          const status = await callGateway(gateway, one);
          seen.set(status, (seen.get(status) ?? 0) + 1);
        }),
        fuzzRuns(1_000),
      );
      expect(error.mock.calls).toEqual([]);
      // The requests reached every check of the gateway.
      for (const status of ["onward", 200, 400, 401, 404, 405] as const)
        expect(seen.get(status), String(status)).toBeGreaterThan(0);
    },
    FUZZ_TIMEOUT_MS,
  );
});
