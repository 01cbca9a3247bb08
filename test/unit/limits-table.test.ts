import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { OPERATIONS, withLimits } from "../../scripts/limits.mjs";
import { readConfig } from "../../src/config/config";
import { main } from "../../src/kinds/main";
import { addressRates, connectionRates, userRates } from "../../src/protocol/rates";
import { boundsOf, type Kind } from "../../src/room/api/kind";

const page = readFileSync(OPERATIONS, "utf8");
const folder = new URL("../../src/kinds/", import.meta.url);
const names = readdirSync(folder).map((file) => file.replace(/\.ts$/, ""));
const modules = await Promise.all(names.map((name): Promise<object> => import(`../../src/kinds/${name}.ts`)));
const shipped: Kind[] = modules.flatMap((module) => Object.values(module).filter(isKind));

describe("the table of limits", () => {
  it("the table says what the code says (`npm run limits` writes it)", async () => {
    expect(await withLimits(page)).toBe(page);
  });

  it("the table has every action and signal of every kind, with its rate (src/protocol/rates.ts)", () => {
    expect(shipped).toContain(main);
    const rates: Record<string, { count: number; perMs: number }> = userRates;
    for (const { name, features } of shipped) {
      for (const [rule, { rate }] of Object.entries(Object.assign({}, ...features.map(boundsOf)) as Bounds)) {
        const limit = rates[rule];
        expect(limit && { count: limit.count, perMs: limit.perMs }, `${rule} of ${name}`).toEqual({
          count: rate.count,
          perMs: rate.perMs,
        });
      }
    }
  });

  it("the table has every variable, each of which changes its limit", () => {
    const all = [...Object.entries({ ...userRates, ...connectionRates, ...addressRates })];
    for (const [rule, limit] of all) {
      expect(page).toContain(`| \`${rule}\` |`);
      if (!("variable" in limit)) continue;
      const read = readConfig({ [limit.variable]: "7/3" });
      if (!read.ok) throw new Error(read.problems.join(" "));
      const { room, limits } = read.config;
      const changed = new Map(Object.entries({ ...room.rules, connection: room.actionRate, ...limits })).get(
        rule,
      );
      expect(changed, rule).toEqual({ count: rule === "readMiss" ? 1 : 7, perMs: 3_000 });
    }
  });

  it("the table gives a reason for each limit", () => {
    for (const [rule, { why }] of Object.entries({ ...userRates, ...connectionRates, ...addressRates })) {
      expect(why.length, rule).toBeGreaterThan(5);
    }
  });
});

type Bounds = Record<string, { rate: { count: number; perMs: number } }>;

function isKind(value: unknown): value is Kind {
  return typeof value === "object" && value !== null && "features" in value && "name" in value;
}
