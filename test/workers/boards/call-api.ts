import { exports } from "cloudflare:workers";
import { mintToken } from "../socket-client";

export interface ApiResponse<T> {
  status: number;
  body: T;
  headers: Headers;
}

/** Calls the shipped worker as a user. */
export async function callApi<T = Record<string, unknown>>(
  path: string,
  how: { as?: "admin" | "host" | "player" | null; user?: string; method?: string; body?: unknown } = {},
): Promise<ApiResponse<T>> {
  const { as = "admin", user = "ada", method = "GET", body } = how;
  const claims = { user, ...(as ? { role: as } : {}), ...(as === "host" ? { rooms: ["*/*"] } : {}) };
  const headers = new Headers(as ? { Authorization: `Bearer ${await mintToken(claims)}` } : {});
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
