// `npm run dead-letters`: entries that D1 would not take. `npm run dead-letters -- 7` shows one; `-- 7 --apply` writes it, once, as it is or
// as mended: `--set '{"points":5}'`. `--url` and AUTH_SECRET for a deployed worker.
import { parseArgs } from "node:util";
import { readEnvFile } from "./env-file.mjs";
import { importTypeScript } from "./typescript.mjs";

const USAGE = `npm run dead-letters [-- [<number> [--apply] [--set '{"points":5}']] [--all] [--url http://127.0.0.1:8787]]`;
const MINUTE_MS = 60_000;

try {
  await run();
} catch (problem) {
  console.error(problem instanceof Error ? problem.message : String(problem));
  console.error(USAGE);
  process.exitCode = 1;
}

async function run() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      apply: { type: "boolean", default: false },
      set: { type: "string" },
      all: { type: "boolean", default: false },
      url: { type: "string" },
    },
  });
  const [id, ...others] = positionals;
  if (others.length > 0) throw new Error("One number at a time.");
  if (id !== undefined && !/^\d{1,15}$/.test(id)) throw new Error(`"${id}" is no number of an entry.`);
  if ((values.apply || values.set !== undefined) && id === undefined)
    throw new Error("Which one? Its number is missing.");
  if (values.set !== undefined && !values.apply) throw new Error("--set goes with --apply.");

  const ask = await createApiClient(values.url);
  if (id === undefined) return listDeadLetters(ask, values.all);
  if (!values.apply) return printJson(await ask(`/${id}`));

  const change = parseChange(values.set);
  const kept = await ask(`/${id}`);
  const mended = change && { ...(isObject(kept.entry) ? kept.entry : {}), ...change };
  const applied = await ask(`/${id}`, mended === undefined ? {} : { entry: mended });
  printJson(applied);
  console.log("applied");
}

/** @param {string | undefined} text */
function parseChange(text) {
  if (text === undefined) return undefined;
  let change;
  try {
    change = JSON.parse(text);
  } catch {
    throw new Error(`--set has to be JSON: ${text} is not.`);
  }
  if (!isObject(change) || Object.keys(change).length === 0) {
    throw new Error(`--set has to be an object with what is to be changed: ${text} is not.`);
  }
  return change;
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {Asker} ask
 * @param {boolean} all
 */
async function listDeadLetters(ask, all) {
  let cursor = "";
  let count = 0;
  do {
    const page = await ask(`?applied=${all ? 1 : 0}${cursor && `&cursor=${cursor}`}`);
    for (const entry of page.entries) {
      console.log(`${entry.id}\t${entry.room}\t${entry.appliedAt ? "applied" : "waits"}\t${entry.reason}`);
    }
    count += page.entries.length;
    cursor = page.cursor ?? "";
  } while (cursor);
  if (count === 0) console.log("Nothing is set aside.");
}

/** @param {unknown} entry */
function printJson(entry) {
  console.log(JSON.stringify(entry, null, 2));
}

/** @param {string} text */
function tryParseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @typedef {Awaited<ReturnType<typeof createApiClient>>} Asker */

/**
 * The worker, asked as an admin who is one for a minute.
 * @param {string | undefined} url
 */
async function createApiClient(url) {
  const file = readEnvFile();
  const secret = process.env.AUTH_SECRET || file.AUTH_SECRET;
  if (!secret) throw new Error("AUTH_SECRET is not set: `npm install` writes one into .env.");
  const port = process.env.SCOREBOARD_PORT || file.SCOREBOARD_PORT || "8787";
  const named = url ?? (process.env.SCOREBOARD_URL || file.SCOREBOARD_URL || `http://127.0.0.1:${port}`);
  if (!URL.canParse(named) || !/^https?:/.test(named))
    throw new Error(`${named || "--url"} is no address of a worker.`);
  const base = named.replace(/\/+$/, "");
  const { signToken } = await importTypeScript("src/identity/token.ts");
  const now = Date.now();
  const token = await signToken({ user: "operator", role: "admin" }, secret, now, now + MINUTE_MS);

  return async (/** @type {string} */ path, /** @type {object | undefined} */ body = undefined) => {
    const response = await fetch(`${base}/v1/aside${path}`, {
      headers: { Authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    }).catch((/** @type {any} */ error) => {
      throw new Error(`Nobody answers at ${base}: ${error.cause?.message ?? error.message}.`);
    });
    const text = await response.text();
    const answer = /** @type {any} */ (tryParseJson(text));
    if (answer === undefined)
      throw new Error(`What answers at ${base} is no worker of ours (${response.status}).`);
    if (!response.ok) throw new Error(answer.message ?? `The worker answered ${response.status}.`);
    return answer;
  };
}
