const encoder = new TextEncoder();

export const eventStreamHeaders = {
  "Content-Type": "text/event-stream; charset=UTF-8",
  // No proxy may store the stream, or hold events back until it has enough of them.
  "Cache-Control": "no-store, no-transform",
  "X-Accel-Buffering": "no",
};

/** One server-sent event. Its data is JSON, which contains no line break. */
export function formatEvent(event: string, id: string, data: unknown): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

export function toBytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** A stream that ends at once. An `EventSource` reconnects after that, and never after a response of 503. */
export function retryStream(reason: string, retryMs: number): Response {
  return new Response(`retry: ${retryMs}\n\n: ${reason}\n\n`, { headers: eventStreamHeaders });
}
