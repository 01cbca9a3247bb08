import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { randomFrom } from "../platforms/random";
import { eventually } from "../platforms/waiting";
import { CuttingProxy, type CuttingProxyOptions, type ProxiedConnection } from "../support/cutting-proxy";

/** One end of a connection: what it received, and how it ended. */
class SocketEnd {
  received = "";
  ended: "open" | "fin" | "reset" = "open";

  constructor(readonly socket: Socket) {
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      this.received += text;
    });
    socket.on("end", () => {
      if (this.ended === "open") this.ended = "fin";
    });
    socket.on("error", () => {
      this.ended = "reset";
    });
  }
}

describe("a proxy that cuts", () => {
  let server: Server;
  let proxy: CuttingProxy;
  let here: SocketEnd;
  let there: SocketEnd;
  let line: ProxiedConnection;

  async function open(options: Partial<CuttingProxyOptions> = {}): Promise<void> {
    const { port } = server.address() as AddressInfo;
    proxy = await new CuttingProxy({ port, random: randomFrom(7), halfOpenMs: 60_000, ...options }).start();
    const came = new Promise<SocketEnd>((resolve) =>
      server.once("connection", (socket) => resolve(new SocketEnd(socket))),
    );
    here = new SocketEnd(connect(Number(proxy.host.split(":")[1]), "127.0.0.1"));
    there = await came;
    [line] = proxy.connections as [ProxiedConnection];
    here.socket.write("hello");
    there.socket.write("welcome");
    await eventually(() => there.received === "hello" && here.received === "welcome", "words both ways");
  }

  beforeEach(async () => {
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(async () => {
    here.socket.destroy();
    there.socket.destroy();
    await proxy.stop();
    await new Promise((resolve) => server.close(resolve));
  });

  it("the proxy resets both sides", async () => {
    await open();
    proxy.cut(line, "reset");
    await eventually(() => here.ended === "reset" && there.ended === "reset", "two resets");
  });

  it("the proxy ends both sides in order, after the pending data", async () => {
    await open();
    there.socket.write(", sit down");
    await eventually(() => here.received === "welcome, sit down", "it");
    proxy.cut(line, "fin");
    await eventually(() => here.ended === "fin" && there.ended === "fin", "two ends");
  });

  it("the proxy leaves the client believing in the connection", async () => {
    await open();
    proxy.cut(line, "half-open client");
    await eventually(() => there.ended === "reset", "the server's end");
    here.socket.write("anybody?");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(here.ended).toBe("open");
    expect(there.received).toBe("hello");
  });

  it("the proxy leaves the server believing in the connection", async () => {
    await open();
    proxy.cut(line, "half-open server");
    await eventually(() => here.ended === "reset", "the client's end");
    there.socket.write("anybody?");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(there.ended).toBe("open");
    expect(here.received).toBe("welcome");
  });

  it("the proxy closes the believing side in the end", async () => {
    await open({ halfOpenMs: 30 });
    proxy.cut(line, "half-open client");
    await eventually(() => here.ended === "reset", "the client's end");
  });

  it("the proxy tears a message in two", async () => {
    await open();
    proxy.cut(line, "torn");
    there.socket.write("12345678");
    await eventually(() => there.ended === "reset" || here.ended === "reset", "the end");
    expect(["welcome", "welcome1234"]).toContain(here.received);
  });

  it("the proxy stalls one direction and not the other, and loses nothing", async () => {
    await open();
    line.stall("up");
    here.socket.write(" you");
    there.socket.write(" back");
    await eventually(() => here.received === "welcome back", "the way down");
    expect(there.received).toBe("hello");
    line.resume("up");
    await eventually(() => there.received === "hello you", "the way up");
  });

  it("the proxy delays each piece and keeps their order", async () => {
    await open({ delayMs: 20 });
    const said = Array.from({ length: 40 }, (_, n) => `${n} `);
    for (const word of said) {
      there.socket.write(word);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => here.received === `welcome${said.join("")}`, "all of it");
  });

  it("the proxy rejects new connections while it is told to", async () => {
    await open();
    proxy.isRefusing = true;
    const late = new SocketEnd(connect(Number(proxy.host.split(":")[1]), "127.0.0.1"));
    await eventually(() => late.ended === "reset", "a reset");
    expect(proxy.connections).toEqual([line]);
  });

  it("the proxy passes on a close from either side", async () => {
    await open();
    here.socket.end();
    await eventually(() => there.ended === "fin", "the server's end");
  });
});
