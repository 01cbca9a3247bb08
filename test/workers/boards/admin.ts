import { exports } from "cloudflare:workers";
import { token } from "../visit";

export interface Told<T> {
  status: number;
  body: T;
  headers: Headers;
}

/** Asks the worker as it is shipped, as somebody. */
export async function ask<T = Record<string, unknown>>(
  path: string,
  how: { as?: "admin" | "host" | "player" | null; user?: string; method?: string; body?: unknown } = {},
): Promise<Told<T>> {
  const { as = "admin", user = "ada", method = "GET", body } = how;
  const claims = { user, ...(as ? { role: as } : {}), ...(as === "host" ? { rooms: ["*/*"] } : {}) };
  const headers = new Headers(as ? { Authorization: `Bearer ${await token(claims)}` } : {});
  const response = await exports.default.fetch(`http://tallyroom${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === "" ? undefined : JSON.parse(text),
    headers: response.headers,
  };
}
