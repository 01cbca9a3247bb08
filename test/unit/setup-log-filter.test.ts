import { describe, expect, it } from "vitest";
import { createLogFilter } from "../../scripts/log-filter.mjs";

/** The output of the filter for a command's output in pieces of a given length. */
function filterText(text: string, pieces = text.length): string[] {
  const lines: string[] = [];
  const show = createLogFilter("rooms", (line) => lines.push(line));
  for (let at = 0; at < text.length; at += pieces) show(text.slice(at, at + pieces));
  return lines;
}

const partykit = `🎈 PartyKit v0.0.115 (update available: 0.0.116)
---------------------
Loading environment variables from .env

\u001b[2K\u001b[1A\u001b[2K\u001b[GLoading environment variables from .env.local

\u001b[2K\u001b[1A\u001b[2K\u001b[GBuild succeeded, starting server...

\u001b[2K\u001b[1A\u001b[2K\u001b[G[pk:inf] Ready on http://0.0.0.0:1999

\u001b[2K\u001b[1A\u001b[2K\u001b[G[pk:inf] - http://127.0.0.1:1999

\u001b[2K\u001b[1A\u001b[2K\u001b[G[pk:inf] GET /health 200 OK (3ms)

\u001b[2K\u001b[1A\u001b[2K\u001b[G\u001b[31m✘ \u001b[41;31m[\u001b[41;97mERROR\u001b[41;31m]\u001b[0m \u001b[1mno such thing\u001b[0m
  at onFetch (party/main.ts:4:2)
`;

const wrangler = `Using secrets defined in .tallyroom/scoreboard/vars.env
Your Worker has access to the following bindings:
Binding                           Resource                  Mode
env.ROOMS (Rooms)                 Durable Object            local
env.AUTH_SECRET ("(hidden)")      Environment Variable      local

⎔ Starting local server...
[wrangler:info] Ready on http://127.0.0.1:8787
[wrangler:info] GET /health 503 Service Unavailable (5ms)
[wrangler:error] Error: boom
⎔ Reloading local server...
⎔ Local server updated and ready
🪵  Logs were written to "/tmp/wrangler.log"
`;

describe("the output of a server", () => {
  it("the filter removes banners, cursor movements and our own probes, and names each line", () => {
    expect(filterText(partykit)).toEqual([
      "rooms │ ✘ [ERROR] no such thing",
      "rooms │   at onFetch (party/main.ts:4:2)",
    ]);
    expect(filterText(wrangler)).toEqual(["rooms │ [wrangler:error] Error: boom"]);
  });

  it("the filter gives the same output for input in any pieces", () => {
    for (const pieces of [1, 2, 7, 100])
      expect(filterText(partykit + wrangler, pieces)).toEqual(filterText(partykit + wrangler));
  });

  it("the filter keeps an error that mentions filtered text", () => {
    const errors = [
      "✘ [ERROR] Ready on http://0.0.0.0:1999",
      "[pk:err] Loading environment variables from .env",
      "Error: Build succeeded, starting server...",
      "GET /health 500 Internal Server Error (3ms)",
    ];
    expect(filterText(`${errors.join("\n")}\n`)).toEqual(errors.map((error) => `rooms │ ${error}`));
  });

  it("the filter keeps colours on a terminal", () => {
    const lines: string[] = [];
    createLogFilter("rooms", (line) => lines.push(line), { colours: true })("\u001b[31mred\u001b[0m\n");
    expect(lines).toEqual(["rooms │ \u001b[31mred\u001b[0m"]);
  });
});
