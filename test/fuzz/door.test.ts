import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Door } from "../../src/platform/edge/door";
import { HELLO_HEADER } from "../../src/platform/edge/hello-header";
import { claims, forge, SECRET } from "../support/edge";
import { effort, PATIENCE_MS } from "./effort";
import { spoiled } from "./spoil";

const BATCH_SECRET = "a secret between platforms, 32 bytes and more";
const ORIGIN = "http://127.0.0.1:1999";
const SOON = Math.floor(Date.now() / 1000) + 3_600;
const host = forge(claims({ sub: "hana", role: "host", rooms: ["main/hall"], exp: SOON }));
const player = forge(claims({ sub: "ann", exp: SOON }));

interface Asked {
  method: string;
  path: string;
  authorization?: string | undefined;
  origin?: string | undefined;
  extra?: string | undefined;
  body?: string | undefined;
}
/** Kept cases; `status`: of the refusal, or `onward` where it goes on to a room. */
const corpus: (Asked & { about: string; status: number | "onward" })[] = JSON.parse(
  readFileSync(new URL("corpus/door.json", import.meta.url), "utf8"),
);

afterEach(() => {
  vi.restoreAllMocks();
});

function openDoor(): Door {
  return new Door(
    { AUTH_SECRET: SECRET, BATCH_SECRET, GUESTS: "on" },
    { kinds: new Set(["main"]), addressOf: () => undefined },
  );
}

/** Nothing where no client could send it: the runtime would not make such a request. */
function requestOf({ method, path, authorization, origin, extra, body }: Asked): Request | undefined {
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
          : { [HELLO_HEADER]: extra, "x-tallyroom-begins": extra, "x-tallyroom-list": extra }),
        ...(hasBody ? { "content-type": "application/json" } : {}),
      },
      ...(hasBody ? { body } : {}),
    });
  } catch {
    return undefined;
  }
}

/** What holds of every answer and of everything that goes on to a room. Answers the status. */
async function judged(door: Door, asked: Asked): Promise<number | "onward" | undefined> {
  const request = requestOf(asked);
  if (!request) return undefined;
  const isRoom = new URL(request.url).pathname.startsWith("/parties/");
  const answer = door.preflight(request) ?? (await (isRoom ? door.call(request) : door.other(request)));
  if (answer instanceof Request) {
    expect(answer.url).toMatch(/^http:\/\/room\/parties\/main\/[\w.-]{1,64}$/);
    const told = [...answer.headers].map(([name]) => name);
    expect(told.filter((name) => !/^(content-type|x-tallyroom-(reader|begins|list))$/.test(name))).toEqual(
      [],
    );
    expect(answer.headers.get(HELLO_HEADER)).toBeNull();
    if (asked.extra) expect(answer.headers.get("x-tallyroom-list")).not.toBe(asked.extra);
    const text = answer.method === "GET" ? "" : await answer.text();
    for (const token of [host, player]) expect(text).not.toContain(token);
    return "onward";
  }
  const dressed = door.dress(answer, request);
  expect(dressed.headers.get("x-content-type-options")).toBe("nosniff");
  const text = await dressed.text();
  expect(text).not.toMatch(/ at \S+:\d+|node:|\.ts:/);
  if (dressed.status >= 400) {
    const { code, message } = JSON.parse(text) as { code: string; message: string };
    expect(code).toMatch(/^[a-z_]+$/);
    expect(message).toMatch(/\.$/);
  }
  expect(dressed.status, text).not.toBe(500);
  return dressed.status;
}

describe("the door, fuzzed", () => {
  it.each(corpus)("treats what was kept as before: $about", async ({ about: _, status, ...asked }) => {
    expect(await judged(openDoor(), asked)).toBe(status);
  });

  it(
    "answers whatever comes in order, lets nothing of the client's on, and throws at nothing",
    async () => {
      const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const door = openDoor();
      const action = fc.constantFrom(
        '{"id":"1","f":"chat","a":"say","d":{"text":"hi"}}',
        '{"id":"2","f":"scores","a":"award","d":{"user":"ann","points":5}}',
        '{"feature":"moderation","word":{"ban":true}}',
        '{"name":"Ann"}',
      );
      const mostly = (right: fc.Arbitrary<string>) =>
        fc.oneof({ weight: 3, arbitrary: right }, { weight: 2, arbitrary: spoiled(right) });
      const maybe = (some: fc.Arbitrary<string>) => fc.option(some, { nil: undefined });
      const asked = fc.record<Asked>({
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
          const status = await judged(door, one);
          seen.set(status, (seen.get(status) ?? 0) + 1);
        }),
        effort(1_000),
      );
      expect(error.mock.calls).toEqual([]);
      // It got to each of its judgements.
      for (const status of ["onward", 200, 400, 401, 404, 405] as const)
        expect(seen.get(status), String(status)).toBeGreaterThan(0);
    },
    PATIENCE_MS,
  );
});
