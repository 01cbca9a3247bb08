import { request } from "node:http";

export interface HttpRequest {
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** For the whole of it, to the answer's last byte. */
  timeoutMs: number;
}

/**
 * One call that ends at its deadline even if the server, the network or a decoder hangs. Not `fetch`: in Node 20 a signal
 * that ends a compressed answer in the moment between its last byte and its decoding leaves `text()` pending for ever.
 */
export function sendHttp(
  url: string,
  { method = "GET", headers = {}, body, timeoutMs: patienceMs }: HttpRequest,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method, headers: { ...headers, "accept-encoding": "identity" } });
    const timer = setTimeout(
      () => call.destroy(new Error(`no whole answer within ${patienceMs} ms`)),
      patienceMs,
    );
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    call.on("error", fail);
    // A call that was cut off amid its answer may say so by its close alone.
    call.on("close", () => fail(new Error("the connection closed before the whole answer was here")));
    call.on("response", (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", fail);
      response.on("end", () => {
        if (!response.complete) return fail(new Error("the answer was cut off"));
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString("utf8") });
      });
    });
    call.end(body);
  });
}
