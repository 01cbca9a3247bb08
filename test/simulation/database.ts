import { readdirSync, readFileSync } from "node:fs";
import initSqlJs, { type Database, type Statement as Prepared } from "sql.js";

const engine = await initSqlJs();
/** A database as it is shipped, made once: every scenario begins with a copy. */
const emptyDatabase = createDatabase();

function createDatabase(): Uint8Array {
  const database = new engine.Database();
  const names = readdirSync("migrations").filter((name) => name.endsWith(".sql"));
  for (const name of names.sort())
    database.run(readFileSync(`migrations/${name}`, "utf8").replaceAll("--> statement-breakpoint", ""));
  const bytes = database.export();
  database.close();
  return bytes;
}

type Value = number | string | null;
export type Row = Record<string, Value | Uint8Array>;
/** One call of the worker's and its result: to be repeated on another engine. */
export interface Call {
  statements: { sql: string; given: readonly Value[] }[];
  /** Of each statement, or what the engine said. */
  outcome: Row[][] | { error: string };
}

/** What the worker's statements ask of D1, in process: the shipped migrations in SQLite itself, one transaction a batch. */
export class SimulatedDatabase {
  /** Every call so far, if a test records them. */
  calls: Call[] | undefined;
  readonly #sqlite: Database = new engine.Database(emptyDatabase);
  /** A statement is compiled once. */
  readonly #compiled = new Map<string, Prepared>();

  prepare(sql: string): Statement {
    return new Statement(this, sql);
  }

  async batch(statements: readonly Statement[]): Promise<{ results: Row[]; success: true }[]> {
    return this.run(statements).map((results) => ({ results, success: true }));
  }

  /** For checks: not recorded as a call. */
  rows(sql: string): Row[] {
    return this.#rows(sql, []);
  }

  run(statements: readonly Statement[]): Row[][] {
    this.#sqlite.run("begin");
    try {
      const outcome = statements.map(({ sql, given }) => this.#rows(sql, given));
      this.#sqlite.run("commit");
      this.calls?.push({ statements: statements.map(toCallStatement), outcome });
      return outcome;
    } catch (error) {
      this.#sqlite.run("rollback");
      this.calls?.push({ statements: statements.map(toCallStatement), outcome: { error: String(error) } });
      throw error;
    }
  }

  close(): void {
    for (const statement of this.#compiled.values()) statement.free();
    this.#sqlite.close();
  }

  #rows(sql: string, given: readonly Value[]): Row[] {
    const statement = this.#compiled.get(sql) ?? this.#sqlite.prepare(sql);
    this.#compiled.set(sql, statement);
    try {
      statement.bind([...given]);
      const rows: Row[] = [];
      while (statement.step()) rows.push(statement.getAsObject());
      return rows;
    } finally {
      statement.reset();
    }
  }
}

function toCallStatement({ sql, given }: Statement): Call["statements"][number] {
  return { sql, given };
}

/** As much of D1's as the worker's statements use, drizzle's among them. */
class Statement {
  constructor(
    private readonly database: SimulatedDatabase,
    readonly sql: string,
    readonly given: readonly Value[] = [],
  ) {}

  bind(...given: Value[]): Statement {
    return new Statement(
      this.database,
      this.sql,
      given.map((value) => value ?? null),
    );
  }

  async first(): Promise<Row | null> {
    return this.#rows()[0] ?? null;
  }

  async all(): Promise<{ results: Row[]; success: true }> {
    return { results: this.#rows(), success: true };
  }

  async run(): Promise<{ results: Row[]; success: true }> {
    return this.all();
  }

  async raw(): Promise<(Row[string] | undefined)[][]> {
    return this.#rows().map((row) => Object.values(row));
  }

  #rows(): Row[] {
    return this.database.run([this])[0] ?? [];
  }
}
