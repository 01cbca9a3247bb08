import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sendHttp } from "../support/http-call";

const WHOLE_BODY = JSON.stringify({ d: { total: 1 } });

/** The response for each requested path. */
const responses: Record<string, (response: ServerResponse) => void> = {
  whole: (response) => response.end(WHOLE_BODY),
  never: () => {},
  head: (response) => response.flushHeaders(),
  half: (response) => response.writeHead(200, { "content-length": "100" }).write("half"),
  torn: (response) => {
    response.writeHead(200, { "content-length": "100" }).write("half");
    setTimeout(() => response.socket?.resetAndDestroy(), 20);
  },
  "torn chunks": (response) => {
    response.write("half");
    setTimeout(() => response.socket?.destroy(), 20);
  },
  reset: (response) => response.socket?.resetAndDestroy(),
  // The head arrives alone, and the body at about the moment of the client's timeout.
  "late and packed": (response) => {
    response.writeHead(200, { "content-encoding": "gzip" }).flushHeaders();
    setTimeout(() => response.end(gzipSync(WHOLE_BODY)), 1 + Math.random() * 4);
  },
};

describe("a call of the chaos run", () => {
  let server: Server;
  const ask = (fate: string, patienceMs = 200) => {
    const { port } = server.address() as AddressInfo;
    return sendHttp(`http://127.0.0.1:${port}/${encodeURIComponent(fate)}`, {
      method: "POST",
      body: "{}",
      timeoutMs: patienceMs,
    });
  };

  beforeAll(async () => {
    server = createServer(({ url = "" }, response) =>
      responses[decodeURIComponent(url.slice(1))]?.(response),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it("the call returns status and text", async () => {
    expect(await ask("whole")).toEqual({ status: 200, text: WHOLE_BODY });
  });

  it.each(["never", "head", "half", "torn", "torn chunks", "reset"])(
    "the call ends with an error: %s",
    async (fate) => {
      await expect(ask(fate)).rejects.toThrow(/./);
    },
  );

  it("the call always ends, even if its time runs out amid a compressed answer: Node's own fetch does not", async () => {
    const calls = Array.from({ length: 400 }, (_, n) =>
      ask("late and packed", 1 + (n % 6)).then(
        () => "answered",
        () => "given up",
      ),
    );
    const outcomes = await Promise.all(calls);
    expect(outcomes).toHaveLength(400);
    expect(outcomes).toContain("given up");
  });
});
