import { createReadStream, realpathSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";

/** @type {Readonly<Record<string, string>>} */
const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".mp3": "audio/mpeg",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

/**
 * The files of a folder, for PartyKit's runtime, which asks for each with the path that it knows it by.
 * @param {string} folder
 * @param {number} port
 * @returns {Promise<void>} resolves when it listens
 */
export function servePages(folder, port) {
  const server = createServer((request, answer) => {
    const file = fileAt(folder, request.url ?? "/");
    if (file === undefined || (request.method !== "GET" && request.method !== "HEAD")) {
      answer.writeHead(404, { "Content-Type": "text/plain" }).end("There is no such page.\n");
      return;
    }
    answer.writeHead(200, {
      "Content-Type": TYPES[extname(file.path)] ?? "application/octet-stream",
      "Content-Length": file.bytes,
    });
    if (request.method === "HEAD") answer.end();
    else
      createReadStream(file.path)
        .once("error", () => answer.destroy())
        .pipe(answer);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
}

/**
 * @param {string} folder
 * @param {string} url
 */
function fileAt(folder, url) {
  try {
    const root = realpathSync(folder);
    const path = realpathSync(join(root, decodeURIComponent(new URL(url, "http://localhost").pathname)));
    const stat = statSync(path);
    return path.startsWith(root + sep) && stat.isFile() ? { path, bytes: stat.size } : undefined;
  } catch {
    return undefined;
  }
}
