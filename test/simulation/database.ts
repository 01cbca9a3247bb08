import { readdirSync, readFileSync } from "node:fs";
import initSqlJs, { type Database } from "sql.js";

const engine = await initSqlJs();
const migrations = readdirSync("migrations")
  .filter((name) => name.endsWith(".sql"))
  .sort()
  .map((name) => readFileSync(`migrations/${name}`, "utf8").replaceAll("--> statement-breakpoint", ""));

/** What the worker's statements ask of D1, in process: the shipped migrations in SQLite itself, one transaction a batch. */
export class SimulatedDatabase {
  readonly #sqlite: Database = new engine.Database();

  constructor() {
    for (const migration of migrations) this.#sqlite.run(migration);
  }

  prepare(sql: string): Statement {
    return new Statement(this.#sqlite, sql);
  }

  async batch(statements: readonly Statement[]): Promise<{ results: Row[] }[]> {
    this.#sqlite.run("begin");
    try {
      const results = statements.map((statement) => ({ results: statement.rows() }));
      this.#sqlite.run("commit");
      return results;
    } catch (error) {
      this.#sqlite.run("rollback");
      throw error;
    }
  }

  rows(sql: string): Row[] {
    return this.prepare(sql).rows();
  }
}

type Value = number | string | null;
export type Row = Record<string, Value | Uint8Array>;

class Statement {
  constructor(
    private readonly sqlite: Database,
    private readonly sql: string,
    private readonly given: readonly Value[] = [],
  ) {}

  bind(...given: Value[]): Statement {
    return new Statement(this.sqlite, this.sql, given);
  }

  rows(): Row[] {
    const statement = this.sqlite.prepare(this.sql);
    try {
      statement.bind([...given(this.given)]);
      const rows: Row[] = [];
      while (statement.step()) rows.push(statement.getAsObject());
      return rows;
    } finally {
      statement.free();
    }
  }

  async first(): Promise<Row | null> {
    return this.rows()[0] ?? null;
  }
}

function given(values: readonly Value[]): readonly Value[] {
  return values.map((value) => value ?? null);
}
