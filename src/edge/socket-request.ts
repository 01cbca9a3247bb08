/** By RFC 6455 only a GET does: what else claims to is a request like any other, and a 101 would be no answer to it. */
export function isSocketRequest({
  method,
  headers,
}: {
  method: string;
  headers: { get(name: string): string | null };
}): boolean {
  return method === "GET" && headers.get("Upgrade")?.toLowerCase() === "websocket";
}
