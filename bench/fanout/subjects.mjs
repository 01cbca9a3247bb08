import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { framedAdapter, partyAdapter, plainAdapter, socketioAdapter, tallyroomAdapter } from "./adapters.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const peers = join(root, "bench", "peers");
/** On the repository's own disk: what is durable has to be written somewhere real. */
const cache = join(root, ".cache", "bench");

/**
 * @typedef {object} Subject
 * @property {string} title
 * @property {import("./adapters.mjs").Adapter} adapter
 * @property {boolean} [peers] needs bench/peers installed
 * @property {(port: number, dataDir: string) => Omit<import("./server.mjs").ServerRecipe, "port">} recipe
 */

/** @type {Record<string, Subject>} */
export const subjects = {
  ours: {
    title: "Tallyroom on workerd",
    adapter: tallyroomAdapter,
    recipe: (port, dataDir) => ({
      command: [process.execPath, join("scripts", "dev-cloudflare.mjs")],
      cwd: root,
      runtime: "workerd",
      env: {
        PORT: String(port),
        DATA_DIR: dataDir,
        AUTH_SECRET: randomBytes(32).toString("base64url"),
        BATCH_SECRET: randomBytes(32).toString("base64url"),
        GUESTS: "on",
        MAX_USERS: "2000",
        CHAT_LIMIT: "0",
        ACTION_LIMIT: "0",
        CONNECT_LIMIT: "0",
        NEW_ROOM_LIMIT: "0",
        GUEST_LIMIT: "0",
        READ_LIMIT: "0",
      },
    }),
  },
  naive: { title: "naive room on workerd", adapter: partyAdapter("naive"), recipe: naiveRecipe },
  stored: { title: "naive room, stores first", adapter: partyAdapter("stored"), recipe: naiveRecipe },
  socketio: {
    title: "Socket.IO on Node",
    adapter: socketioAdapter,
    peers: true,
    recipe: (port) => nodePeer(port, ["socketio.mjs"]),
  },
  ws: {
    title: "ws on Node",
    adapter: plainAdapter,
    peers: true,
    recipe: (port) => nodePeer(port, ["ws.mjs"]),
  },
  "ws-framed": {
    title: "ws on Node, frames like ours",
    adapter: framedAdapter,
    peers: true,
    recipe: (port) => nodePeer(port, ["ws.mjs", "--framed"]),
  },
  bun: {
    title: "Bun's publish",
    adapter: plainAdapter,
    peers: true,
    recipe: (port) => ({ command: [bunBinary(), "bun.mjs"], cwd: peers, env: { PORT: String(port) } }),
  },
};

/** @param {number} port @param {string} dataDir */
function naiveRecipe(port, dataDir) {
  const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");
  return {
    command: [
      process.execPath,
      wrangler,
      "dev",
      "--ip",
      "127.0.0.1",
      "--port",
      String(port),
      "--inspector-port",
      "0",
      "--persist-to",
      dataDir,
    ],
    cwd: join(root, "bench", "naive"),
    runtime: /** @type {const} */ ("workerd"),
    env: {
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_LOG_PATH: join(dataDir, "logs"),
      WRANGLER_REGISTRY_PATH: join(dataDir, "registry"),
      MINIFLARE_REGISTRY_PATH: join(dataDir, "registry"),
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
    },
  };
}

/** @param {number} port @param {string[]} command */
const nodePeer = (port, command) => ({
  command: [process.execPath, ...command],
  cwd: peers,
  env: { PORT: String(port), NODE_ENV: "production" },
});

/** The binary itself: the `bun` command of npm's package is moved into its place by an install script, which many switch off. */
function bunBinary() {
  const moved = join(peers, "node_modules", "bun", "bin", "bun.exe");
  if (existsSync(moved) && statSync(moved).size > 1_000_000) return moved;
  const arch = process.arch === "arm64" ? "aarch64" : "x64";
  for (const libc of ["", "-musl"]) {
    const binary = join(peers, "node_modules", "@oven", `bun-linux-${arch}${libc}`, "bin", "bun");
    if (existsSync(binary)) return binary;
  }
  throw new Error("npm has installed no Bun for this machine; leave it out with --subject");
}

/** Fresh storage for one server. */
export function openDataDir() {
  mkdirSync(cache, { recursive: true });
  const path = mkdtempSync(join(cache, "fanout-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** @returns {Promise<number>} a port that is free right now */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
