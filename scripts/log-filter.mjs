/**
 * What both platforms' commands say that nobody needs to read. Each pattern is a line that was seen, whole: a line that is
 * only like one of these, an error above all, is shown.
 */
const NOISE = [
  /^-+$/,
  /^(🎈 )?PartyKit v[\d.]+( \(update available: .+\))?$/u,
  /^Loading environment variables from \.env(\.local)?$/,
  /^Build succeeded, starting server\.\.\.$/,
  /^⎔ (Starting|Reloading|Shutting down) local server\.\.\.$/,
  /^⎔ Local server (updated and ready|shut down\.+)$/,
  /^(Updated and r|R)eady on http:\/\/\S+$/,
  /^- http:\/\/[\d.]+:\d+$/,
  /^Using secrets defined in .+$/,
  /^Your Worker has access to the following bindings:$/,
  /^Binding\s+Resource\s+Mode$/,
  /^env\.\S+ \(.*\)\s+\S.*\s(local|not supported)$/,
  /^🪵 {2}Logs were written to ".+"$/u,
  // Asked every other second (server-watch.mjs, which says what is wrong), and each hour.
  /^GET \/health (200 OK|503 Service Unavailable) \(\d+ms\)$/,
  /^GET \/__scheduled 200 OK \(\d+ms\)$/,
  // What the trigger does is told in docs/operations.md; nothing has to be done about it here.
  /^▲ \[WARNING\] Scheduled Workers are not automatically triggered during local development\.$/,
  /^To manually trigger a scheduled event, run:$/,
  /^curl "http:\/\/\S+\/cdn-cgi\/handler\/scheduled"$/,
  /^For more details, see https:\/\/developers\.cloudflare\.com\/\S+#test-cron-triggers-locally$/,
  /^✨ Parsed \d+ valid header rules?\.$/u,
];

/** Colours and the cursor movements with which partykit draws over its last line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
const COLOUR = /\u001b\[[\d;]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
const CURSOR = /\u001b\[[\d;]*[A-HJKSTfhl]/g;

/**
 * Turns what a command prints, in whatever pieces it comes, into the lines worth showing, with its name before each.
 * @param {string} name
 * @param {(line: string) => void} print
 * @param {{ colours?: boolean }} [options]
 * @returns {(chunk: string) => void}
 */
export function createLogFilter(name, print, { colours = false } = {}) {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const text = line
        .replace(CURSOR, "")
        .replace(/^\[(pk:inf|wrangler:info)\] /, "")
        .trimEnd();
      const plain = text.replace(COLOUR, "").trim();
      if (plain === "" || NOISE.some((pattern) => pattern.test(plain))) continue;
      print(`${name} │ ${colours ? text : text.replace(COLOUR, "")}`);
    }
  };
}
