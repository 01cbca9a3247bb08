/** By RFC 6455 only a GET opens a socket. Any other method with an Upgrade header is an ordinary request. */
export function isSocketRequest({
  method,
  headers,
}: {
  method: string;
  headers: { get(name: string): string | null };
}): boolean {
  return method === "GET" && headers.get("Upgrade")?.toLowerCase() === "websocket";
}
