import { createHmac } from "node:crypto";
import { type Config, readConfig } from "../../src/config/config";
import { createEdgeContext } from "../../src/edge/edge-context";
import { answerGuest } from "../../src/edge/guest-route";
import { authorizeCall } from "../../src/edge/room-call";
import { authorizeSocket } from "../../src/edge/room-socket";

export const SECRET = "a secret of thirty-two bytes or more";
export const OTHER_SECRET = "another secret, and just as long as that";
/** Half a second past a whole one, since tokens count in whole seconds. */
export const NOW = 1_790_000_000_500;
export const HOUR_MS = 3_600_000;

/** Guests are on and the secret is set, unless a story says otherwise. */
export function readTestConfig(env: Record<string, string> = {}): Config {
  const read = readConfig({ AUTH_SECRET: SECRET, GUESTS: "on", ...env });
  if (!read.ok) throw new Error(read.problems.join(" "));
  return read.config;
}

/** The checks of one edge, whose clients have no address. */
export function openTestEdge(env: Record<string, string> = {}, kinds: readonly string[] = ["main"]) {
  const context = createEdgeContext(readTestConfig(env), {
    kinds: new Set(kinds),
    clientIpOf: () => undefined,
  });
  return {
    authorizeSocket: (request: Request, now: number) => authorizeSocket(request, context, now),
    authorizeCall: (request: Request, now: number) => authorizeCall(request, context, now),
    answerGuest: (request: Request, now: number) => answerGuest(request, context, now),
  };
}

/** A token made by hand, for what no honest library would sign. `claims` may be a text, to be sent as it is. */
export function forgeToken(
  claims: unknown,
  { header = { alg: "HS256" }, secret = SECRET }: { header?: unknown; secret?: string } = {},
): string {
  const encode = (part: unknown) =>
    Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** Claims that are good at `NOW` for an hour. */
export function makeClaims(others: Record<string, unknown> = {}): Record<string, unknown> {
  return { sub: "ann", exp: Math.floor((NOW + HOUR_MS) / 1000), ...others };
}
