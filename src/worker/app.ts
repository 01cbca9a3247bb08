import { Hono } from "hono";
import type { CloudflareEnv } from "../platform/cloudflare";
import { Door } from "../platform/door";
import { refusalResponse, refuseHttp } from "../platform/http-refusal";
import { refuseSocket } from "../platform/refusal";
import { closeCodes } from "../protocol/codes";

/** The worker's routes: rooms by way of the door, and what is no room's. */
export function appOf(kinds: ReadonlySet<string>) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();
  let door: Door | undefined;
  const doorOf = (env: CloudflareEnv) => (door ??= new Door(env, kinds));

  app.all("/parties/:kind/:room", async ({ req, env }) => {
    const isSocket = req.header("Upgrade")?.toLowerCase() === "websocket";
    const judged = await (isSocket ? doorOf(env).socket(req.raw) : doorOf(env).call(req.raw));
    if (judged instanceof Response) return judged;
    const [, , kind, id] = new URL(judged.url).pathname.split("/");
    return env.ROOMS.getByName(`${kind}/${id}`).fetch(judged);
  });
  app.all("*", ({ req, env }) => doorOf(env).other(req.raw));
  // A room that was ended under way (a release, a write that failed) rejects: whoever waits is told to come back.
  app.onError((error, { req }) => {
    console.error(`${req.method} ${req.path} failed:`, error);
    const isSocket = req.header("Upgrade")?.toLowerCase() === "websocket";
    if (isSocket) return refuseSocket(closeCodes.draining, FAILED, FAILED_RETRY_MS);
    return refusalResponse(refuseHttp(500, "internal", FAILED));
  });
  return app;
}

const FAILED = "Something went wrong here. It has been noted.";
const FAILED_RETRY_MS = 2_000;
