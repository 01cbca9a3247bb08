import { env, exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { SIGNATURE_HEADER, signCall } from "../../../src/edge/signed-calls/signed-call";
import { answerBatch } from "../../../src/services/boards/ingest/batch-route";
import { createWorkerSink } from "../../../src/services/boards/ingest/worker-sink";
import { createBoardRegistry } from "../../../src/services/boards/store/board-registry";

const path = "/v1/batches";
const batch = (epoch: string, n = 1) => JSON.stringify({ v: 1, room: "main/hall", epoch, n, entries: [] });

async function post(body: string, { secret = env.BATCH_SECRET, at = Date.now(), signed = body } = {}) {
  const signature = await signCall({ method: "POST", path, body: signed }, secret, at);
  return exports.default.fetch(`http://tallyroom${path}`, {
    method: "POST",
    headers: { [SIGNATURE_HEADER]: signature },
    body,
  });
}
const receipts = async (epoch: string) =>
  (await env.DB.prepare("select n from receipts where epoch = ?1").bind(epoch).all()).results;

describe("POST /v1/batches", () => {
  it("[B2] the route applies a signed batch once, in order", async () => {
    const first = await post(batch("turns"));
    expect([first.status, await first.json()]).toEqual([200, { applied: true, refused: [] }]);
    const again = await post(batch("turns"));
    expect([again.status, await again.json()]).toEqual([
      200,
      { applied: false, reason: "duplicate", refused: [] },
    ]);
    const gap = await post(batch("turns", 5));
    expect(gap.status).toBe(409);
    expect(await gap.json()).toEqual({
      code: "conflict",
      message: "The next batch of this room is 2.",
      applied: false,
      reason: "gap",
      expected: 2,
    });
  });

  it.each([
    ["another secret", { secret: "somebody else's secret" }],
    ["an old signature", { at: Date.now() - 61_000 }],
    ["the signature of another body", { signed: "{}" }],
  ])("[S2] answers 401 to %s, and changes nothing", async (_, how) => {
    const response = await post(batch("forged"), how);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: "not_allowed", message: expect.any(String) });
    expect(await receipts("forged")).toEqual([]);
  });

  it("[S2] the route answers 401 without a signature, for any body", async () => {
    for (const body of [batch("bare"), "", "{", "x".repeat(100_000)]) {
      const response = await exports.default.fetch(`http://tallyroom${path}`, { method: "POST", body });
      expect(response.status).toBe(401);
    }
    expect(await receipts("bare")).toEqual([]);
  });

  it("[B9] the route reads no more than a batch may have", async () => {
    expect((await post("x".repeat(1_500_001))).status).toBe(413);
  });

  it.each([
    ["no JSON", "{", /the body/],
    ["an array", "[]", /the body/],
    ["another version", '{"v":2}', /v: /],
    ["no room", batch("x").replace("main/hall", "hall"), /room: must be kind\/id/],
    ["number 0", batch("x", 0), /n: /],
    ["an unknown field", batch("x").replace("{", '{"more":1,'), /more/],
    ["too many entries", batch("x").replace("[]", `[${"0,".repeat(10_000)}0]`), /entries: /],
  ])("answers 400 with a sentence to %s", async (_, body, sentence) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    const { message } = await response.json<{ message: string }>();
    expect(message).toMatch(sentence);
  });

  it("the route takes nothing but POST", async () => {
    const response = await exports.default.fetch(`http://tallyroom${path}`);
    expect([response.status, response.headers.get("Allow")]).toEqual([405, "POST"]);
  });
});

describe("[S2] a batch with a nearly valid signature", () => {
  const body = batch("nearly");
  const ask = async (
    change: { path?: string; method?: string; headers?: [string, string][]; body?: BodyInit } = {},
  ) => {
    const signature = await signCall({ method: "POST", path, body }, env.BATCH_SECRET, Date.now());
    const headers = new Headers({ [SIGNATURE_HEADER]: signature });
    for (const [name, value] of change.headers ?? []) headers.append(name, value);
    const { method = "POST" } = change;
    const response = await exports.default.fetch(`http://tallyroom${change.path ?? path}`, {
      method,
      headers,
      ...(method === "GET" ? {} : { body: change.body ?? body }),
    });
    await response.arrayBuffer();
    return response.status;
  };
  const streamed = (...parts: string[]) =>
    new ReadableStream({
      start(controller) {
        for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
        controller.close();
      },
    });
  const gzipped = () => new Response(body).body?.pipeThrough(new CompressionStream("gzip")) ?? "";

  it.each<[string, Parameters<typeof ask>[0], number]>([
    ["at another path", { path: `${path}?x=1` }, 401],
    ["by another method", { method: "PUT" }, 405],
    ["at a path that only looks the same", { path: `${path}/` }, 404],
    ["twice in its header", { headers: [[SIGNATURE_HEADER, "t=1,k=0000000000000000,v1=00"]] }, 401],
    ["with a space behind its body", { body: `${body} ` }, 401],
    ["and compressed", { headers: [["Content-Encoding", "gzip"]], body: gzipped() }, 401],
    ["with its body cut short in the stream", { body: streamed(body.slice(0, 20)) }, 401],
  ])("but %s changes nothing", async (_, change, status) => {
    expect(await ask(change)).toBe(status);
    expect(await receipts("nearly")).toEqual([]);
  });

  it("the signature is checked before a body of any size is read", async () => {
    expect((await post("x".repeat(2_000_000), { secret: "somebody else's secret" })).status).toBe(401);
  });

  it("a body that arrives in pieces is whole, and its signature valid", async () => {
    expect(await ask({ body: streamed(body.slice(0, 20), body.slice(20)) })).toBe(200);
    expect(await receipts("nearly")).toEqual([{ n: 1 }]);
  });
});

describe("a database that takes too long", () => {
  it("the call is given up in time, done all the same, and found so when the batch comes again", async () => {
    let open: () => void = () => {};
    const stall = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow = new Proxy(env.DB, {
      get(db, name) {
        if (name === "batch") return (all: D1PreparedStatement[]) => stall.then(() => db.batch(all));
        const value: unknown = Reflect.get(db, name, db);
        return typeof value === "function" ? value.bind(db) : value;
      },
    });
    const later: Promise<unknown>[] = [];
    const body = batch("slow");
    const signature = await signCall({ method: "POST", path, body }, env.BATCH_SECRET, Date.now());
    const request = new Request(`http://tallyroom${path}`, {
      method: "POST",
      headers: { [SIGNATURE_HEADER]: signature },
      body,
    });
    const intake = {
      secrets: { current: env.BATCH_SECRET },
      db: slow,
      registry: createBoardRegistry([]),
      waitUntil: (work: Promise<unknown>) => void later.push(work),
    };
    const answer = await answerBatch(request, intake, Date.now(), 50);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: "unavailable", retryAfterMs: expect.any(Number) });
    expect(await receipts("slow")).toEqual([]);
    open();
    await Promise.all(later);
    expect(await (await post(body)).json()).toMatchObject({ applied: false, reason: "duplicate" });
  });
});

describe("the sink of a platform without a database", () => {
  it("the sink reports a worker that cannot be reached, and leaves the batch to be sent again", async () => {
    const sink = createWorkerSink("http://127.0.0.1:9", "a secret of both sides");
    const ask = { v: 1, room: "main/hall", epoch: "e", n: 1, entries: [] };
    await expect(sink({ kind: "main", id: "hall" }, ask, AbortSignal.timeout(5_000))).rejects.toThrow();
    await expect(sink({ kind: "main", id: "hall" }, {}, AbortSignal.timeout(5_000))).rejects.toThrow(
      "no batch",
    );
  });
});
