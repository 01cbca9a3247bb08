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
/** Kept cases; `status`: of the refusal, or `onward` where it goes on to a room. */
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

/** Nothing where no client could send it: the runtime would not make such a request. */
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
        // Posing as the edge.
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

/** What holds of every answer and of everything that goes on to a room. Answers the status. */
async function callGateway(door: Gateway, asked: FuzzedRequest): Promise<number | "onward" | undefined> {
  const request = makeRequest(asked);
  if (!request) return undefined;
  const isRoom = new URL(request.url).pathname.startsWith("/parties/");
  const answer =
    door.answerPreflight(request) ?? (await (isRoom ? door.rooms.admitCall(request) : door.answer(request)));
  if (answer instanceof Request) {
    expect(answer.url).toMatch(/^http:\/\/room\/parties\/main\/[\w.-]{1,64}$/);
    const told = [...answer.headers].map(([name]) => name);
    expect(told.filter((name) => !/^(content-type|x-tallyroom-(reader|begins|list))$/.test(name))).toEqual(
      [],
    );
    expect(answer.headers.get(TICKET_HEADER)).toBeNull();
    if (asked.extra) expect(answer.headers.get("x-tallyroom-list")).not.toBe(asked.extra);
    const text = answer.method === "GET" ? "" : await answer.text();
    for (const token of [host, player]) expect(text).not.toContain(token);
    return "onward";
  }
  const withHeaders = door.withHeaders(answer, request);
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

describe("the door, fuzzed", () => {
  it.each(corpus)("treats what was kept as before: $about", async ({ about: _, status, ...asked }) => {
    expect(await callGateway(openGateway(), asked)).toBe(status);
  });

  it(
    "answers whatever comes in order, lets nothing of the client's on, and throws at nothing",
    async () => {
      const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const door = openGateway();
      const action = fc.constantFrom(
        '{"id":"1","f":"chat","a":"say","d":{"text":"hi"}}',
        '{"id":"2","f":"scores","a":"award","d":{"user":"ann","points":5}}',
        '{"feature":"moderation","message":{"ban":true}}',
        '{"name":"Ann"}',
      );
      const mostly = (right: fc.Arbitrary<string>) =>
        fc.oneof({ weight: 3, arbitrary: right }, { weight: 2, arbitrary: spoil(right) });
      const maybe = (some: fc.Arbitrary<string>) => fc.option(some, { nil: undefined });
      const asked = fc.record<FuzzedRequest>({
        method: fc.constantFrom("GET", "POST", "POST", "POST", "DELETE", "PUT", "OPTIONS", "PATCH", "HEAD"),
        path: mostly(fc.constantFrom("/parties/main/hall", "/auth/guest", "/health", "/rooms?kind=main")),
        authorization: maybe(mostly(fc.constantFrom(`Bearer ${host}`, `Bearer ${player}`, "Basic eDp5"))),
        origin: maybe(mostly(fc.constantFrom("http://localhost:5173", "https://elsewhere.example", "null"))),
        extra: maybe(fc.string({ minLength: 1, maxLength: 40 })),
        body: maybe(mostly(action)),
      });
      const seen = new Map<number | "onward" | undefined, number>();
      await fc.assert(
        fc.asyncProperty(asked, async (one) => {
          const status = await callGateway(door, one);
          seen.set(status, (seen.get(status) ?? 0) + 1);
        }),
        fuzzRuns(1_000),
      );
      expect(error.mock.calls).toEqual([]);
      // It got to each of its judgements.
      for (const status of ["onward", 200, 400, 401, 404, 405] as const)
        expect(seen.get(status), String(status)).toBeGreaterThan(0);
    },
    FUZZ_TIMEOUT_MS,
  );
});
