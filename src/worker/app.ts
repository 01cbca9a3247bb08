import { Hono } from "hono";
import type { CloudflareEnv } from "../platform/cloudflare";
import { Door } from "../platform/door";

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
  return app;
}
