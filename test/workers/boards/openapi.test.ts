import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import createClient from "openapi-fetch";
import { describe, expect, it } from "vitest";
import type { Operation } from "../../../src/edge/http/operation";
import { SIGNATURE_HEADER, signCall } from "../../../src/edge/signed-calls/signed-call";
import { QUARTER_MS } from "../../../src/protocol/batch";
import { boardCaches } from "../../../src/services/boards/cache/caches";
import { createBoardRegistry } from "../../../src/services/boards/store/board-registry";
import { createApp } from "../../../src/worker/app";
import { openApiDocument, operations } from "../../../src/worker/openapi/openapi";
import type { components, paths } from "../../support/openapi-types";
import { mintToken } from "../socket-client";
import { CountedDatabase, entry, ScoringRoom } from "./database";

interface Parameter {
  name: string;
  in: "path" | "query";
  required: boolean;
  schema: Schema;
}
interface Schema {
  type?: string;
  enum?: string[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
}
type OpenApiPaths = Record<string, Record<string, { parameters?: Parameter[] }>>;

/** What makes sense wherever nothing else is about it. */
const GOOD: Record<string, string> = {
  board: "main",
  user: "ann",
  season: "cup",
  number: "1",
  kind: "main",
  room: "hall",
  what: "ask",
  ids: "ann",
};
/** Behind a signature, or no board's: these are judged elsewhere (S2, A1). */
const isJudgedHere = ({ path }: Operation) => /^\/v1\/(?!batches|errands)/.test(path);

const app = createApp(
  new Set(["main"]),
  createBoardRegistry([
    { name: "main", boards: { main: { combine: "sum", periods: ["all", "day", "week", "season"] } } },
  ]),
);
const documented = (openApiDocument() as { paths: OpenApiPaths }).paths;

async function call(operation: Operation, path: string, query: string, body?: string) {
  const counted = new CountedDatabase();
  const admin = await mintToken({ user: "ada", role: "admin" });
  const ctx = createExecutionContext();
  const method = operation.method.toUpperCase();
  const request = new Request(`http://tallyroom${path}${query}`, {
    method,
    headers: { Authorization: `Bearer ${admin}` },
    ...(method === "POST" || method === "PUT" ? { body: body ?? "{}" } : {}),
  });
  const response = await app.fetch(request, { ...env, DB: counted.db }, ctx);
  await waitOnExecutionContext(ctx);
  const text = await response.text();
  return {
    status: response.status,
    body: text.startsWith("{") ? JSON.parse(text) : {},
    calls: counted.callCount,
  };
}

function fillPath({ path }: Operation, given: Record<string, string> = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(given[name] ?? GOOD[name] ?? `no example of ${name}`),
  );
}

function fillQuery(parameters: readonly Parameter[], given: Record<string, string> = {}): string {
  const wanted = parameters.filter((one) => one.in === "query" && one.required && !(one.name in given));
  const all = { ...Object.fromEntries(wanted.map(({ name }) => [name, GOOD[name] ?? ""])), ...given };
  return Object.keys(all).length === 0 ? "" : `?${new URLSearchParams(all)}`;
}

/** Values that its own schema calls wrong: whatever a parameter is, there are some. */
function makeWrongValues({ schema, required, in: where }: Parameter): string[] {
  const { type, enum: some, pattern, minimum, maximum, minLength, maxLength } = schema;
  const tries = [
    "",
    "1e1",
    "-1",
    " 1",
    "%",
    "a/b",
    "Ünd",
    "null",
    "x".repeat(5_000),
    "a\u0000b",
    "NaN",
    "year",
  ];
  if (minimum !== undefined) tries.push(String(minimum - 1));
  if (maximum !== undefined) tries.push(String(maximum + 1));
  const isWrong = (value: string) =>
    (type === "integer" && !/^\d+$/.test(value)) ||
    (type === "integer" && (Number(value) < (minimum ?? 0) || Number(value) > (maximum ?? Infinity))) ||
    (some !== undefined && !some.includes(value)) ||
    (pattern !== undefined && !new RegExp(pattern, "u").test(value)) ||
    (minLength !== undefined && value.length < minLength) ||
    (maxLength !== undefined && value.length > maxLength);
  // An empty part of a path is another path; an absent parameter is not a wrong one, unless it has to be there.
  return tries.filter((value) => isWrong(value) && !(value === "" && (where === "path" || !required)));
}

describe("[C6] every parameter that the document tells", () => {
  const judged = operations.filter(isJudgedHere);
  const cases = judged.flatMap((operation) => {
    const parameters = documented[operation.path]?.[operation.method]?.parameters ?? [];
    return parameters.map((parameter) => ({ operation, parameters, parameter, title: parameter.name }));
  });

  it("is looked at: there are as many as the schemas have", () => {
    const fields = judged.flatMap(({ params, query }) => [
      ...Object.keys(params?.shape ?? {}),
      ...Object.keys(query?.shape ?? {}),
    ]);
    expect(cases).toHaveLength(fields.length);
    expect(cases.length).toBeGreaterThan(30);
  });

  it.each(cases)(
    "$operation.method $operation.path: $title, wrong, is 400 with what is expected",
    async ({ operation, parameters, parameter }) => {
      const wrong = makeWrongValues(parameter);
      expect(wrong.length, "there are wrong values").toBeGreaterThan(0);
      const held = countCacheKeys();
      for (const value of wrong) {
        const given = { [parameter.name]: value };
        const isPath = parameter.in === "path";
        const answer = await call(
          operation,
          fillPath(operation, isPath ? given : {}),
          fillQuery(parameters, isPath ? {} : given),
        );
        const what = `${parameter.name}=${JSON.stringify(value.slice(0, 40))}`;
        expect([answer.status, answer.body.code], what).toEqual([400, "bad_data"]);
        expect(answer.body.message, what).toMatch(
          new RegExp(`^${parameter.name}:? must (be|have)|The query`),
        );
        expect(answer.calls, `${what} asks the database nothing`).toBe(0);
      }
      expect(countCacheKeys(), "no key comes of it").toBe(held);
    },
  );

  it.each(judged)("$method $path: one that is not known, or given twice, is 400", async (operation) => {
    const parameters = documented[operation.path]?.[operation.method]?.parameters ?? [];
    const held = countCacheKeys();
    for (const name of ["nonsense", "Period", "__proto__", "limit "]) {
      const answer = await call(operation, fillPath(operation), fillQuery(parameters, { [name]: "1" }));
      expect([answer.status, answer.body.code], name).toEqual([400, "bad_data"]);
      expect(answer.body.message).toMatch(/^Unknown parameter `.+`\. Allowed: .+\.$/);
      expect(answer.calls).toBe(0);
    }
    for (const { name } of parameters.filter((one) => one.in === "query")) {
      const query = fillQuery(parameters, { [name]: GOOD[name] ?? "all" });
      const answer = await call(operation, fillPath(operation), `${query}&${name}=all`);
      expect([answer.status, answer.body.message], name).toEqual([
        400,
        `Parameter \`${name}\` may be given only once.`,
      ]);
    }
    expect(countCacheKeys()).toBe(held);
  });

  it.each(judged.filter(({ body }) => body))(
    "$method $path: a body that is none is 400",
    async (operation) => {
      for (const body of ["", "[]", "{", '"text"', '{"nonsense":1}', '{"__proto__":1}']) {
        if (body === "" && operation.id === "applyAside") continue;
        const answer = await call(operation, fillPath(operation), "", body);
        if (body === "" && operation.id === "ban") expect(answer.status).toBe(200);
        else expect([answer.status, typeof answer.body.message], body).toEqual([400, "string"]);
      }
    },
  );
});

describe("[C7] the routes", () => {
  it("are those of the document, and the document's are routes", () => {
    const routed = app.routes
      .filter(({ method, path }) => method !== "ALL" && !path.includes("*"))
      .map(
        ({ method, path }) => `${method} ${path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}").replace(/\/$/, "")}`,
      );
    const told = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    const pages = ["GET /v1/docs", "GET /docs"];
    expect(routed.filter((one) => !told.includes(one) && !pages.includes(one))).toEqual([]);
    // Routed as a whole: rooms, and what the door answers by itself.
    const whole = /^\w+ (\/parties\/|\/auth\/guest|\/health|\/v1\/batches|\/metrics)/;
    expect(told.filter((one) => !routed.includes(one) && !whole.test(one))).toEqual([]);
  });

  it("serve it, and a page of it that loads nothing from elsewhere", async () => {
    const served = await exports.default.fetch("http://tallyroom/v1/openapi.json");
    expect([served.status, await served.json()]).toEqual([200, openApiDocument()]);
    const page = await exports.default.fetch("http://tallyroom/v1/docs");
    const html = await page.text();
    expect([page.status, page.headers.get("Content-Type")]).toEqual([200, "text/html; charset=UTF-8"]);
    expect(page.headers.get("Content-Security-Policy")).toContain("default-src 'none'; style-src 'self'");
    expect(
      [...html.matchAll(/(?:src|href)="([^"#]*)/g)]
        .map(([, url]) => url ?? "")
        .filter((url) => /^(https?:)?\/\//.test(url)),
    ).toEqual([]);
    expect(html).not.toContain("<script");
    for (const { id, summary } of operations) {
      expect(html).toContain(`id="${id}"`);
      expect(html).toContain(summary.replaceAll("'", "&#39;"));
    }
    const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target);
    const moved = await exports.default.fetch("http://tallyroom/docs", { redirect: "manual" });
    expect([moved.status, moved.headers.get("Location")]).toEqual([308, "/v1/docs"]);
  });
});

describe("[C7] every answer that the document tells", () => {
  it("is what is answered, to the field", async () => {
    const seen = new Set<string>();
    const room = new ScoringRoom({ main: { combine: "sum", periods: ["all", "season"] } }, { room: "told" });
    const opensAt = Math.ceil(Date.now() / QUARTER_MS + 1) * QUARTER_MS;
    const season = JSON.stringify({ opensAt, closesAt: opensAt + QUARTER_MS });

    async function told(id: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
      const operation = operations.find((one) => one.id === id);
      if (!operation) throw new Error(`no operation ${id}`);
      const admin = await mintToken({ user: "ada", role: "admin" });
      const ctx = createExecutionContext();
      const request = new Request(`http://tallyroom${path}`, {
        method: operation.method.toUpperCase(),
        headers: { Authorization: `Bearer ${admin}`, ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const response = await app.fetch(request, { ...env }, ctx);
      await waitOnExecutionContext(ctx);
      const answer: unknown = await response.json();
      expect(response.status, `${id}: ${JSON.stringify(answer)}`).toBe(200);
      expect(operation.answers[200]?.schema?.safeParse(answer).error, id).toBeUndefined();
      seen.add(id);
      return answer;
    }

    await room.apply([
      entry("main", "fay", 5),
      entry("main", "gil", 4),
      { ...entry("main", "gil", 1), points: 0.5 },
    ]);
    await told("openSeason", "/v1/boards/main/seasons/told", season);
    await told("listSeasons", "/v1/boards/main/seasons");
    await told("listBoards", "/v1/boards");
    await told("readBoard", "/v1/boards/main?limit=1");
    await told("readPlayer", "/v1/boards/main/users/fay");
    await told("readPlayers", "/v1/boards/main/users?ids=fay,gil");
    await told("closeSeason", "/v1/boards/main/seasons/told");
    const change = { board: "main", periods: ["all"], user: "fay", set: 7, reason: "told" };
    await told("correctPoints", "/v1/corrections", change);
    await told("correctPoints", "/v1/corrections", {
      board: "main",
      user: "gil",
      remove: true,
      reason: "told",
    });
    await told("listCorrections", "/v1/corrections?limit=1");
    await told("ban", "/v1/bans/gil", { reason: "told", untilMs: Date.now() + 60_000 });
    await told("readBan", "/v1/bans/gil");
    await told("listBans", "/v1/bans");
    // No address can name these.
    for (const dots of [".", ".."]) {
      await told("banNamed", `/v1/bans?user=${dots}`, { reason: "told" });
      expect(await told("listBans", `/v1/bans?user=${dots}`)).toMatchObject({ bans: [{ user: dots }] });
      await told("liftBanNamed", `/v1/bans?user=${dots}`);
      await told("eraseNamed", `/v1/users?user=${dots}`);
      await told("exportNamed", `/v1/users?user=${dots}`);
    }
    await told("exportPerson", "/v1/users/gil");
    await told("exportPerson", "/v1/users/ada");
    await told("liftBan", "/v1/bans/gil");
    const { entries } = (await told("listAside", "/v1/aside")) as { entries: { id: number }[] };
    await told("readAside", `/v1/aside/${entries[0]?.id}`);
    await told("applyAside", `/v1/aside/${entries[0]?.id}`, { entry: entry("main", "gil", 1) });
    await told("erasePerson", "/v1/users/gil");
    await told("exportPerson", "/v1/users/gil");
    await told("act", "/parties/main/told", { id: "1", f: "chat", a: "say", d: { text: "hello" } });
    await told("readRoom", "/parties/main/told");
    await told("drainRoom", "/parties/main/told/drain");
    await told("closeRoom", "/parties/main/told");
    await told("openGuest", "/auth/guest", { name: "Guest" }, { Authorization: "" });
    await told("readHealth", "/health");
    await told("readDocument", "/v1/openapi.json");
    const batch = JSON.stringify(room.nextBatch([]));
    const signed = await signCall(
      { method: "POST", path: "/v1/batches", body: batch },
      env.BATCH_SECRET,
      Date.now(),
    );
    await told("applyBatch", "/v1/batches", batch, { [SIGNATURE_HEADER]: signed });

    // What rooms ask about bans is told in test/workers/bans.test.ts; /metrics is text, and live boards are streams.
    const elsewhere = ["runErrand", "readMetrics", "followBoard"];
    expect(operations.map(({ id }) => id).filter((id) => !seen.has(id) && !elsewhere.includes(id))).toEqual(
      [],
    );
  });
});

describe("[C7] a client generated from the document", () => {
  const client = createClient<paths>({
    baseUrl: "http://tallyroom",
    fetch: (request: Request) => exports.default.fetch(request),
  });

  it("reads a board with types", async () => {
    const room = new ScoringRoom({ main: { combine: "sum", periods: ["all", "day"] } });
    await room.apply([entry("main", "dora", 5), entry("main", "emil", 7)]);
    const { data, error, response } = await client.GET("/v1/boards/{board}", {
      params: { path: { board: "main" }, query: { period: "day:2026-11-20", limit: 1 } },
    });
    expect(error).toBeUndefined();
    expect(response.status).toBe(200);
    const first: components["schemas"]["Ranked"] | undefined = data?.entries[0];
    expect(first).toEqual({ rank: 1, user: "emil", name: "emil", points: 7 });
    const cursor: string | undefined = data?.cursor;
    const next = await client.GET("/v1/boards/{board}", {
      params: {
        path: { board: "main" },
        query: { period: "day:2026-11-20", limit: 1, ...(cursor ? { cursor } : {}) },
      },
    });
    expect(next.data?.entries.map(({ user }) => user)).toEqual(["dora"]);
    const standing = await client.GET("/v1/boards/{board}/users/{user}", {
      params: { path: { board: "main", user: "dora" }, query: { period: "day:2026-11-20", around: 0 } },
    });
    expect(standing.data).toMatchObject({ rank: 2, of: 2, points: 5 });
    const boards = await client.GET("/v1/boards");
    expect(boards.data?.boards.map(({ board }) => board)).toContain("main");
  });

  it("is told a refusal with types", async () => {
    const { data, error } = await client.GET("/v1/boards/{board}", {
      params: { path: { board: "main" }, query: { limit: 1_000 } },
    });
    expect(data).toBeUndefined();
    const refusal: components["schemas"]["Refusal"] | undefined = error;
    expect(refusal).toEqual({ code: "bad_data", message: "limit: must be a whole number from 1 to 100." });
    const wrong = await client.GET("/v1/boards/{board}", {
      params: {
        path: { board: "main" },
        query: {
          // @ts-expect-error: a limit is a number
          limit: "ten",
        },
      },
    });
    expect(wrong.response.status).toBe(400);
  });
});

function countCacheKeys(): number {
  const { top, standing, seasons } = boardCaches;
  return top.size.entries + standing.size.entries + seasons.size.entries;
}
