import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { applyBatch } from "../../../src/services/boards/store/apply-batch";
import { createBoardRegistry } from "../../../src/services/boards/store/board-registry";
import { listCorrections } from "../../../src/services/boards/store/corrections";
import { eraseUser } from "../../../src/services/boards/store/erasure";
import { readPage, readStanding } from "../../../src/services/boards/store/read-board";
import { sweepBoards } from "../../../src/services/boards/store/retention";
import { AT, entry } from "./database";

/** Every statement for D1, and SQLite's plan for it. */
class ExplainingDatabase {
  readonly plans: { sql: string; steps: string[] }[] = [];
  readonly db: D1Database = new Proxy(env.DB, {
    get: (db, name) => {
      if (name === "prepare") return (sql: string) => this.#spy(db.prepare(sql), sql);
      if (name === "batch") {
        return async (statements: D1PreparedStatement[]) => {
          for (const statement of statements) await this.#explain(statement);
          return db.batch(statements.map((one) => originals.get(one) ?? one));
        };
      }
      const value: unknown = Reflect.get(db, name, db);
      return typeof value === "function" ? value.bind(db) : value;
    },
  });
  readonly #bound = new WeakMap<D1PreparedStatement, { sql: string; given: unknown[] }>();

  #spy(statement: D1PreparedStatement, sql: string, given: unknown[] = []): D1PreparedStatement {
    const spied: D1PreparedStatement = new Proxy(statement, {
      get: (one, name) => {
        if (name === "bind") return (...more: unknown[]) => this.#spy(one.bind(...more), sql, more);
        const value: unknown = Reflect.get(one, name, one);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          if (["all", "first", "run", "raw"].includes(String(name))) await this.#explain(spied);
          return value.apply(one, args);
        };
      },
    });
    originals.set(spied, statement);
    this.#bound.set(spied, { sql, given });
    return spied;
  }

  async #explain(statement: D1PreparedStatement): Promise<void> {
    const known = this.#bound.get(statement);
    if (!known) throw new Error("A statement that was not prepared here.");
    const { results } = await env.DB.prepare(`explain query plan ${known.sql}`)
      .bind(...known.given)
      .all<{ detail: string }>();
    this.plans.push({ sql: known.sql, steps: results.map(({ detail }) => detail) });
  }

  /** Steps that read a whole table or index of these. */
  scans(...tables: string[]): string[] {
    const scan = new RegExp(`^SCAN (${tables.join("|")})\\b(?! USING COVERING INDEX spans_)`);
    return this.plans.flatMap(({ steps }) => steps.filter((step) => scan.test(step)));
  }

  get steps(): string {
    return this.plans.flatMap(({ steps }) => steps).join("\n");
  }
}
const originals = new WeakMap<D1PreparedStatement, D1PreparedStatement>();

const registry = createBoardRegistry([
  {
    name: "main",
    boards: { main: { combine: "sum", periods: ["all", "day", "week", "season"], maxPerDay: 1_000 } },
  },
]);
const batch = (n: number, epoch = "plans") => ({
  v: 1 as const,
  room: "main/hall",
  epoch,
  n,
  entries: [entry("main", "ann", n), entry("main", "bob", 1)],
});
const ranking = { board: "main", period: "all", sign: -1 as const, room: "main/hall" };
/** Aliases that statements give them. */
const SCORES = ["scores", "s", "old", "counted"];
const BIG = [...SCORES, "spans", "x", "span", "before", "after", "players", "receipts", "bans"];

beforeAll(async () => {
  await applyBatch(env.DB, registry, batch(1), AT);
});

describe("the query plan in D1", () => {
  it("[C2] [C3] a page and a rank seek in the order of the board, and sort nothing", async () => {
    const { db, ...explained } = openExplained();
    await readPage(db, ranking, { limit: 100 }, AT);
    await readPage(db, ranking, { limit: 100, after: [-1, 0, AT, 1, "ann"] }, AT);
    await readStanding(db, ranking, "ann", 5, AT);
    expect(explained.count()).toBeGreaterThanOrEqual(9);
    expect(explained.scans(...BIG)).toEqual([]);
    expect(explained.steps()).toMatch(
      /SEARCH s USING COVERING INDEX scores_in_order|SEARCH s USING INDEX scores_in_order/,
    );
    expect(explained.steps()).toMatch(/\(ranking=\? AND \(?score/);
    expect(explained.steps()).not.toContain("USE TEMP B-TREE FOR ORDER BY");
    expect(explained.steps()).toMatch(/SEARCH bans USING PRIMARY KEY \(scope=\? AND user=\?\)/);
  });

  it("a batch scans no table, and finds the few spans that need work by their partial indexes", async () => {
    const { db, ...explained } = openExplained();
    await applyBatch(db, registry, batch(2), AT);
    expect(explained.count()).toBeGreaterThanOrEqual(13);
    expect(explained.scans(...BIG, "b")).toEqual([]);
    expect(explained.steps().match(/ spans USING INDEX spans_too_(full|empty) \(ranking=\?/g)).toHaveLength(
      4,
    );
    expect(explained.steps()).toMatch(/SEARCH old USING PRIMARY KEY \(ranking=\? AND user=\?\)/);
    expect(explained.steps()).toMatch(
      /SEARCH rankings? .*rankings_by_name|SEARCH r USING .*rankings_by_name/,
    );
  });

  it("an erasure searches each ranking once, by the player's key", async () => {
    const { db, ...explained } = openExplained();
    await eraseUser(db, "bob", AT);
    // A few hundred spans, bans and corrections are read whole: it is rare.
    expect(explained.scans(...SCORES, "players")).toEqual([]);
    expect(explained.steps()).toMatch(/SEARCH s USING PRIMARY KEY \(ranking=\? AND user=\?\)/);
  });

  it("a retention sweep reads the names of rankings, and only scores to delete", async () => {
    const { db, ...explained } = openExplained();
    await sweepBoards(db, { day: 1, week: 1, season: 1, room: 1 }, AT, 1);
    expect(explained.scans(...SCORES, "spans", "players")).toEqual([]);
    expect(explained.steps()).toContain("players_erased");
  });

  it("the corrections log is read by its number, newest first", async () => {
    const steps = await env.DB.prepare(
      "explain query plan select * from corrections where user = 'ann' and id < 5 order by id desc limit 5",
    ).all<{ detail: string }>();
    expect(steps.results.map(({ detail }) => detail).join("\n")).toMatch(
      /SEARCH corrections USING INDEX corrections_of/,
    );
    expect(await listCorrections(env.DB, { limit: 1 })).toEqual([]);
  });
});

function openExplained() {
  const explained = new ExplainingDatabase();
  return {
    db: explained.db,
    count: () => explained.plans.length,
    scans: (...tables: string[]) => explained.scans(...tables),
    steps: () => explained.steps,
  };
}
