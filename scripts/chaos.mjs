import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const USAGE = `npm run chaos -- [--minutes M] [--platform cloudflare|partykit] [--seed S] [--players N] [--clients N] [--awards N] [--faults N]
  points are given out while servers are killed, stalled, restarted, cut off and out of disk; then everybody's three totals have to be one
  --minutes M   goes on for so long; without it, until --awards and --faults are reached
  --platform P  on one of the two; on both, one after the other, if absent
  --seed S      the choices of an earlier run; fresh ones if absent
  --players N   who get points (200)
  --clients N   our own clients, connected all the time (12)
  --awards N    at least so many (20000; with --minutes, 1)
  --faults N    at least so many (30)`;

const platforms = ["cloudflare", "partykit"];
const options = readOptions();
const { minutes, platform, seed, players = 200, clients = 12, faults = 30 } = options;
const { awards = minutes === undefined ? 20_000 : 1 } = options;
const plan = { minutes, platform, seed, players, clients, awards, faults };
const { status } = spawnSync(
  "npx",
  ["vitest", "run", "--project", "platforms", "test/platforms/chaos.test.ts", "--disable-console-intercept"],
  { stdio: "inherit", env: { ...process.env, CHAOS: JSON.stringify(plan) } },
);
process.exitCode = status ?? 1;

/** @returns {{ platform?: string } & Partial<Record<"minutes" | "seed" | "players" | "clients" | "awards" | "faults", number>>} */
function readOptions() {
  const text = { type: /** @type {const} */ ("string") };
  try {
    const { values } = parseArgs({
      options: {
        minutes: text,
        platform: text,
        seed: text,
        players: text,
        clients: text,
        awards: text,
        faults: text,
        help: { type: "boolean" },
      },
    });
    const { help, platform, ...numbers } = values;
    if (help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (platform !== undefined && !platforms.includes(platform)) {
      throw new Error(`--platform is ${platforms.join(" or ")}; "${platform}" is neither.`);
    }
    const given = Object.entries(numbers).map(([name, value]) => [name, parsePositive(name, value)]);
    return { ...(platform === undefined ? {} : { platform }), ...Object.fromEntries(given) };
  } catch (problem) {
    console.error(problem instanceof Error ? problem.message : String(problem));
    console.error(USAGE);
    process.exit(2);
  }
}

/**
 * @param {string} name
 * @param {string} text
 */
function parsePositive(name, text) {
  const number = Number(text);
  if (number > 0 && (name === "minutes" ? number <= 1_440 : Number.isSafeInteger(number))) return number;
  throw new Error(
    name === "minutes"
      ? `--minutes is a number above 0, up to 1440; "${text}" is not.`
      : `--${name} is a whole number above 0; "${text}" is not.`,
  );
}
