// `npm run token -- --user ann --role host --room main/hall`: a token to try things with, alone on standard output.
import { parseArgs } from "node:util";
import { readEnvFile } from "./env-file.mjs";
import { importTypeScript } from "./typescript.mjs";

const HOUR_MS = 3_600_000;
const USAGE =
  "npm run token -- --user ann [--name Ann] [--role player|host|admin] [--room kind/id]… [--hours 24]";

try {
  console.log(await createToken());
} catch (problem) {
  console.error(problem instanceof Error ? problem.message : String(problem));
  console.error(USAGE);
  process.exitCode = 1;
}

async function createToken() {
  const { user, name, role, room: rooms, hours } = readFlags();
  if (user === undefined) throw new Error("--user is missing: the id of whoever the token is for.");
  const lastsMs = Number(hours) * HOUR_MS;
  if (!(lastsMs > 0 && lastsMs <= 10 * 365 * 24 * HOUR_MS)) {
    throw new Error("--hours must be a number above 0, and not more than ten years.");
  }
  const secret = process.env.AUTH_SECRET || readEnvFile().AUTH_SECRET;
  if (!secret) throw new Error("AUTH_SECRET is not set: `npm install` writes one into .env.");

  const now = Date.now();
  const expiresAt = now + lastsMs;
  const { readConfig } = await importTypeScript("src/config/config.ts");
  const config = readConfig({ AUTH_SECRET: secret });
  if (!config.ok) throw new Error(config.problems.join("\n"));
  const { parseClaims } = await importTypeScript("src/identity/claims.ts");
  const read = parseClaims({ sub: user, name, role, rooms, exp: expiresAt / 1000 });
  if (!read.ok) throw new Error(read.reason);

  const { signToken } = await importTypeScript("src/identity/token.ts");
  return signToken({ user, name, role, rooms }, secret, now, expiresAt);
}

/** What stands on the command line; `parseArgs` throws a sentence about what it does not know. */
function readFlags() {
  const { values } = parseArgs({
    options: {
      user: { type: "string" },
      name: { type: "string" },
      role: { type: "string", default: "player" },
      room: { type: "string", multiple: true },
      hours: { type: "string", default: "24" },
    },
  });
  return values;
}
