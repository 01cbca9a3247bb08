// Loaded before partykit and wrangler (`node --import`): what they start is reached from this machine alone.
//
// Left to itself `partykit dev` listens on every interface, opens an inspector that evaluates code for any page that connects, and answers with the
// lines of any file on disk. It has no option for any of that; nor has wrangler one that opens no inspector.
import fs from "node:fs";
import { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import Module, { register, syncBuiltinESMExports } from "node:module";
import { Server as NetServer } from "node:net";
import { Duplex } from "node:stream";
import { isLocalHost, isLocalOrigin } from "./local-names.mjs";
import { patchProgram, patchWorker } from "./runtime-patches.mjs";
import { servePages } from "./serve-pages.mjs";

/** Tells programs that are started by ours, such as the build command of partykit.json, that it was loaded. */
process.env.TALLYROOM_LOCAL_ONLY = "1";

/** Under this name wrangler's runtime calls wrangler. No DNS server can be asked for it. */
const RUNTIME_NAMES = ["dummy"];
const REFUSAL = "Only this machine may ask here.\n";

listenOnLoopback();
refuseStrangers();
patchSources();
// The patched partykit calls it in place of esbuild's server.
Object.assign(globalThis, { tallyroomServePages: servePages });
if (/partykit/.test(process.argv[1] ?? "")) register("./patched-loader.mjs", import.meta.url);

/** Every server of this process, whatever host it asks for. Sockets in the file system stay as they are. */
function listenOnLoopback() {
  const { listen } = NetServer.prototype;
  NetServer.prototype.listen = function (/** @type {unknown[]} */ ...args) {
    return Reflect.apply(listen, this, onLoopback(args));
  };
}

/**
 * @param {unknown[]} args `(port, host?, backlog?, callback?)`, `(options, callback?)` or `(path, …)`
 * @returns {unknown[]}
 */
function onLoopback(args) {
  const [first] = args;
  const callback = args.find((value) => typeof value === "function");
  if (typeof first === "object" && first !== null) {
    return "port" in first && !("path" in first) ? [{ ...first, host: "127.0.0.1" }, callback] : args;
  }
  const port = typeof first === "number" || typeof first === "string" ? Number(first) : 0;
  return Number.isInteger(port) ? [{ port, host: "127.0.0.1" }, callback] : args;
}

/** Requests to the HTTP servers of this process: miniflare's way back from its runtime, the pages, an inspector. */
function refuseStrangers() {
  const { emit } = HttpServer.prototype;
  HttpServer.prototype.emit = function (
    /** @type {string | symbol} */ event,
    /** @type {unknown[]} */ ...args
  ) {
    const [request, answer] = args;
    if (!(request instanceof IncomingMessage) || isFromHere(request)) {
      return Reflect.apply(emit, this, [event, ...args]);
    }
    if (answer instanceof ServerResponse)
      answer.writeHead(403, { "Content-Type": "text/plain" }).end(REFUSAL);
    else if (answer instanceof Duplex) {
      answer.end(
        `HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: ${REFUSAL.length}\r\n\r\n${REFUSAL}`,
      );
    }
    return true;
  };
}

/** @param {IncomingMessage} request */
function isFromHere({ headers }) {
  return isLocalHost(headers.host, RUNTIME_NAMES) && isLocalOrigin(headers.origin);
}

/** CommonJS modules, as wrangler is one, and the workers that miniflare reads from disk. */
function patchSources() {
  const compiles = /** @type {{ _compile: (...args: unknown[]) => unknown }} */ (
    /** @type {unknown} */ (Module.prototype)
  );
  const { _compile } = compiles;
  compiles._compile = function (source, path, ...rest) {
    return Reflect.apply(_compile, this, [patchProgram(String(path), String(source)), path, ...rest]);
  };
  const { readFileSync } = fs;
  const patched = (/** @type {Parameters<typeof readFileSync>} */ ...args) => {
    const contents = readFileSync(...args);
    return typeof contents === "string" && typeof args[0] === "string"
      ? patchWorker(args[0], contents)
      : contents;
  };
  Object.assign(fs, { readFileSync: patched });
  syncBuiltinESMExports();
}
