import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";

/** The developer's own settings and secrets: untracked, made once, never overwritten. */
export const ENV_FILE = fileURLToPath(new URL("../.env", import.meta.url));

/**
 * Makes `.env` with fresh secrets if there is none.
 * @param {string} [path]
 * @returns {boolean} whether it was made
 */
export function makeEnvFile(path = ENV_FILE) {
  if (existsSync(path)) return false;
  const lines = [
    "# Made by `npm install` for this clone alone. Not in git: keep it so.",
    `AUTH_SECRET=${generateSecret()}`,
    `BATCH_SECRET=${generateSecret()}`,
    "GUESTS=on",
    "",
  ];
  // "wx": two installs at once must not leave one with the secrets of the other.
  try {
    writeFileSync(path, lines.join("\n"), { mode: 0o600, flag: "wx" });
  } catch (problem) {
    if (problem instanceof Error && "code" in problem && problem.code === "EEXIST") return false;
    throw problem;
  }
  return true;
}

/** A secret of 32 random bytes, which is what HS256 wants at least. */
export function generateSecret() {
  return randomBytes(32).toString("base64url");
}

/**
 * @param {string} [path]
 * @returns {Record<string, string>} nothing if there is no such file
 */
export function readEnvFile(path = ENV_FILE) {
  if (!existsSync(path)) return {};
  /** @type {Record<string, string>} */
  const values = {};
  for (const [name, value] of Object.entries(parseEnv(readFileSync(path, "utf8")))) {
    if (value !== undefined) values[name] = value;
  }
  return values;
}

/**
 * Writes variables where only their owner can read them, so that no secret stands on a command line, which everybody on
 * the machine can list.
 * @param {string} path
 * @param {Readonly<Record<string, string>>} values
 * @param {{ expands: boolean }} reader whether the program that reads it expands `$NAME`
 */
export function writeEnvFile(path, values, { expands }) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const lines = Object.entries(values).map(([name, value]) => `${name}=${quote(value, expands)}\n`);
  writeFileSync(path, lines.join(""), { mode: 0o600 });
}

/**
 * Between single quotes or backticks every character stands for itself, but for the quote.
 * @param {string} value
 * @param {boolean} expands
 */
function quote(value, expands) {
  const mark = value.includes("'") ? "`" : "'";
  return mark + (expands ? value.replaceAll("$", "\\$") : value) + mark;
}

/**
 * Whether a value can stand in an env file at all.
 * @param {string} value
 */
export function canBeInEnvFile(value) {
  return !(value.includes("'") && value.includes("`"));
}
