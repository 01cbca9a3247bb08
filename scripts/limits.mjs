// `npm run limits`: writes the table of every limit into docs/operations.md. A test holds it to the code.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { importTypeScript } from "./typescript.mjs";

export const OPERATIONS = fileURLToPath(new URL("../docs/operations.md", import.meta.url));
const BEGIN = "<!-- limits: written by `npm run limits` -->";
const END = "<!-- /limits -->";

/**
 * The page with the table as the code has it.
 * @param {string} page
 */
export async function withLimits(page) {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("docs/operations.md has no place for the limits.");
  return `${page.slice(0, begin + BEGIN.length)}\n\n${await renderTable()}\n${page.slice(end)}`;
}

async function renderTable() {
  const { userRates, connectionRates, addressRates, networkRates, networkRateOf } =
    await importTypeScript("src/protocol/rates.ts");
  const CONNECTION = "connection; four times that of a user's together, sixteen times of an address's guests";
  const USER = "`nack` (HTTP: 429) `rate_limited`";
  const rows = [
    ...Object.entries(userRates).map(([rule, limit]) =>
      renderRow(rule, "user, and a guest's address", limit, USER),
    ),
    ...Object.entries(connectionRates).map(([rule, limit]) =>
      renderRow(rule, CONNECTION, limit, "`nack` `rate_limited`"),
    ),
    ...Object.entries(addressRates).map(([rule, limit]) =>
      renderRow(rule, "address", limit, refusals[rule] ?? ""),
    ),
    ...Object.entries(addressRates).map(([rule, limit]) => {
      const { times, why } = networkRates[rule];
      const reason = `${times} times an address's: ${why}`;
      const wide = { ...networkRateOf(rule, limit), variable: "NETWORK_LIMITS", why: reason };
      return renderRow(rule, "network: the /48 of an IPv6", wide, refusals[rule] ?? "");
    }),
  ];
  return [
    "| rule | of | default | variable | refusal | why |",
    "|---|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

/** @type {Readonly<Record<string, string>>} */
const refusals = {
  connect: "`bye` 4429",
  newRoom: "`bye` 4429, HTTP 429",
  guest: "`bye` 4429, HTTP 429",
  failedToken: "`bye` 4429, HTTP 429",
  read: "HTTP 429",
  readMiss: "HTTP 429",
  live: "HTTP 429",
};

/**
 * @param {string} rule
 * @param {string} of
 * @param {{ count: number, perMs: number, variable?: string, why: string }} limit
 * @param {string} refusal
 */
function renderRow(rule, of, { count, perMs, variable, why }, refusal) {
  const set = variable === undefined ? "`RULE_LIMITS`" : `\`${variable}\``;
  const which = of.startsWith("connection") && variable === undefined ? "fixed" : set;
  return `| \`${rule}\` | ${of} | ${count} in ${perMs / 1000} s | ${which} | ${refusal} | ${why} |`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(OPERATIONS, await withLimits(readFileSync(OPERATIONS, "utf8")));
}
